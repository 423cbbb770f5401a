# SPDX-License-Identifier: Apache-2.0
"""`hiors calibrate leader` against the emulated leader, with a person at its prompts."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from hiors.cli import main
from hiors.places import config_file
from hiors_core.robot import load_robot
from hiors_sim.dynamixel import LeaderEmulator, leader_servos
from hiors_xtrainer.leader_bus import LeaderBus
from hiors_xtrainer.leader_calibration import load_calibrations
from hiors_xtrainer.leader_mapping import LeaderMapping
from hiors_xtrainer.leader_parameters import SHIPPED_IDS, SHIPPED_SIGNS
from hiors_xtrainer.leader_settings import TICK, LeaderSettings

HOME = load_robot(config_file("robots", "xtrainer")).arm("right").home
OFFSETS = np.array([1551, 1512, 122, 508, 2451, 2112])
OPENED, CLOSED = 3990, 240
"""Of the handle; between them lies the seam of the turn."""


def test_a_person_calibrates_the_right_leader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [i + 10 for i in SHIPPED_IDS]
    path = tmp_path / "leader.yaml"
    with LeaderEmulator(leader_servos([*ids, 13, 18])) as leader:
        for number, ticks in zip(ids, OFFSETS + SHIPPED_SIGNS * HOME / TICK, strict=True):
            leader.servos[number].place(round(ticks))
        leader.servos[18].place(OPENED)
        prompts = []

        def press(text: str) -> str:
            prompts.append(text)
            leader.servos[18].place(OPENED if len(prompts) == 1 else CLOSED)
            return ""

        monkeypatch.setattr("builtins.input", press)
        words = ["calibrate", "leader", "right", "--port", leader.port, "--file", str(path)]
        assert main(words) == 0
        assert f"Written to {path}" in capsys.readouterr().out
        leader.servos[ids[2]].place(leader.servos[ids[2]].ticks + 100)
        prompts.clear()
        assert main(words) == 0
        assert "zero of right_joint3 is 8.8° from the one before" in capsys.readouterr().out
        leader.servos[ids[2]].place(leader.servos[ids[2]].ticks - 100)
        prompts.clear()
        assert main(words) == 0
    found = load_calibrations(path)["right"]
    difference = (np.array(found.offsets) - OFFSETS + 2048) % 4096 - 2048
    assert np.abs(difference).max() <= 1
    mapping = LeaderMapping(SHIPPED_SIGNS, found)
    assert [mapping.opening(t) for t in (OPENED, CLOSED)] == pytest.approx([1.0, 0.0])


def test_lost_answers_are_forgiven_and_a_silent_leader_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "leader.yaml"
    with LeaderEmulator(leader_servos([*SHIPPED_IDS, 3, 8])) as leader:
        words = ["calibrate", "leader", "left", "--port", leader.port, "--file", str(path)]
        handle = iter((OPENED, CLOSED))

        def lose_some(text: str) -> str:
            leader.servos[8].place(next(handle))
            leader.fault.lose = 3
            return ""

        monkeypatch.setattr("builtins.input", lose_some)
        assert main(words) == 0
        assert leader.fault.lose == 0
        path.unlink()

        def fall_silent(text: str) -> str:
            leader.fault.stall = True
            return ""

        monkeypatch.setattr("builtins.input", fall_silent)
        assert main(words) == 2
        assert "positions were not read" in capsys.readouterr().err
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["calibrate", "leader", "left", "--port", "/dev/nothing", "--file", "/proc/x/y.yaml"]
    assert main(words) == 2
    assert "/proc/x cannot be made" in capsys.readouterr().err


def test_a_port_in_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LeaderEmulator(leader_servos([*SHIPPED_IDS, 3, 8])) as leader:
        settings = LeaderSettings(
            port=leader.port, ids=SHIPPED_IDS, signs=SHIPPED_SIGNS, gripper_id=8
        )
        node = LeaderBus(settings)
        words = ["calibrate", "leader", "left", "--port", leader.port]
        assert main([*words, "--file", str(tmp_path / "x.yaml")]) == 2
        assert "in use by another program" in capsys.readouterr().err
        node.close()


def test_a_leader_that_does_not_answer_is_an_error_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "leader.yaml"
    with LeaderEmulator(leader_servos([1, 2])) as leader:
        words = ["calibrate", "leader", "left", "--port", leader.port, "--file", str(path)]
        assert main(words) == 2
    assert "no answer from servo 4, 5, 6, 7, 3, 8" in capsys.readouterr().err
    assert not path.exists()


def test_nobody_at_the_terminal_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with LeaderEmulator(leader_servos([*SHIPPED_IDS, 3, 8])) as leader:
        words = ["calibrate", "leader", "left", "--port", leader.port]
        assert main([*words, "--file", str(tmp_path / "x.yaml")]) == 2
    assert "calibrate in a terminal" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
