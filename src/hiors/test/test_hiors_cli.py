# SPDX-License-Identifier: Apache-2.0
"""The `hiors` command: help, refusals and exit codes."""

import subprocess
import sys

import pytest

from hiors import bench, cli, doctor
from hiors.checks import Finding


@pytest.mark.parametrize("word", cli.COMMANDS)
def test_help_names_every_command(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert f"  {word} " in capsys.readouterr().out


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "usage" in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["trian"]) == 2
    assert "Did you mean 'train'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["up", "rbot:=xtrainer"], "robot"),
        (["label", "--sucess"], "--success"),
        (["replay", "bag", "--rat", "2"], "--rate"),
        (["doctor", "--jsn"], "--json"),
        (["train", "--rn", "x"], "--run"),
        (["panel", "--operater", "x"], "--operator"),
        (["keys", "--foldr", "x"], "--folder"),
    ],
)
def test_an_unknown_argument_is_refused_with_the_nearest(
    words: list[str], near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main(words)
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert near in capsys.readouterr().err


def test_a_wrong_episode_id_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["label", "../../etc", "--success", "--store", "/tmp"]) == 2
    assert "../../etc" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, hiors.cli; hiors.cli.main(['-h']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"rclpy", "torch", "mujoco", "numpy", "yaml"}


def test_up_help_shows_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--help"]) == 0
    out = capsys.readouterr().out
    assert "namespace:=" in out
    assert "One of: debug, info, warn, error." in out


def good() -> Finding:
    return Finding(name="good", ok=True, text="fine")


def broken() -> Finding:
    raise OSError("no such thing")


def optional() -> Finding:
    return Finding(name="gpu", ok=False, text="none", needed=False)


def test_the_doctor_survives_a_failing_check_and_reports_it() -> None:
    findings = doctor.examine([good, broken])
    assert [f.ok for f in findings] == [True, False]
    assert "no such thing" in findings[1].text
    assert "1 thing is missing" in doctor.as_text(findings)


def test_the_doctor_does_not_miss_what_is_optional() -> None:
    assert "Everything needed is here" in doctor.as_text(doctor.examine([good, optional]))


def test_benchmarks_are_found_with_their_summaries(tmp_path, capsys) -> None:
    (tmp_path / "speed.py").write_text('"""How fast it is.\n\nMore."""\nraise SystemExit(3)\n')
    (tmp_path / "_shared.py").write_text("")
    assert list(bench.benchmarks(tmp_path)) == ["speed"]
    assert bench.main(["--folder", str(tmp_path)]) == 0
    assert "How fast it is." in capsys.readouterr().out
    assert bench.main(["speed", "--folder", str(tmp_path)]) == 3


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["keys", "new", "robot1", "--folder", "FILE"], "cannot be made"),
        (["keys", "show", "--folder", "FILE"], "is a file"),
        (["up", "run_dir:=FILE/x"], "cannot be made"),
        (["up", "policy:=FILE", "run_dir:=RUN"], "is no checkpoint"),
        (["label", "--success", "--namespace", "1 2"], "namespace must be like"),
        (["label", "--success", "--wait", "nan"], "--wait must be within"),
        (["panel", "--namespace", "1 2"], "namespace must be like"),
        (["episode", "0"], "COUNT must be within"),
        (["demo", "--headless", "--params", "PARAMS", "--out", "OUT"], "Unknown node 'nodee'"),
        (["train", "--run", "FILE"], "is a file"),
        (["train", "--run", "RUN", "--ranks", "0"], "--ranks must be at least 1"),
        (["train", "--run", "RUN", "--start", "FILE"], "is no checkpoint"),
        (["train", "--run", "RUN", "--config", "RUN"], "is not a file"),
        (["train", "--demos", "FILE", "--steps", "1", "--out", "RUN"], "is no episode store"),
        (["train", "--demos", "FILE", "--steps", "-1", "--out", "RUN"], "--steps must be at"),
        (["episode", "--seed", "-1"], "--seed must be at least 0"),
        (["replay", "FILE", "--wait", "-1"], "--wait must be within"),
    ],
)
def test_bad_input_is_answered_by_one_line(words, reason, tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("hello")
    (tmp_path / "params").write_text("nodee: {ros__parameters: {x: 1}}")
    places = {word: str(tmp_path / word.lower()) for word in ("FILE", "RUN", "PARAMS", "OUT")}
    for name, path in places.items():
        words = [word.replace(name, path) for word in words]
    assert cli.main(words) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_the_machine_refuses_is_no_traceback(monkeypatch, capsys) -> None:
    def fail(_: object) -> int:
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setattr(bench, "main", fail)
    assert cli.main(["bench"]) == 1
    assert capsys.readouterr().err == "hiors: /somewhere: Permission denied\n"
