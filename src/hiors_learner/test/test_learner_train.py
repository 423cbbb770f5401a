# SPDX-License-Identifier: Apache-2.0
"""The training process from outside: waiting, pacing, publishing, stopping, going on (reliability:
rows 18, 20, 25).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from learner_scene import (
    ROBOT_FILE,
    TASK_FILE,
    announce,
    ledger,
    record,
    settings_file,
    status,
)

from hiors_core.store import EpisodeStore
from hiors_learner.launch import command, environment
from hiors_learner.places import Layout, Placement
from hiors_learner.status import State
from hiors_policy.checkpoint import load_checkpoint, read_latest

PATIENCE = 90.0
"""[s] until something must have happened, on a machine that does other things as well."""


def arguments(config: Path) -> list[str]:
    files = {"--robot": ROBOT_FILE, "--task": TASK_FILE, "--config": config}
    return [str(word) for pair in files.items() for word in pair]


def quiet(**changes: str) -> dict[str, str]:
    return {**environment(), "PYTHONPATH": os.pathsep.join(sys.path), **changes}


@contextmanager
def learner(run: Path, config: Path, **changes: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "hiors_learner.train", *arguments(config), "--run", str(run)],
        env=quiet(**changes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {process.stderr.read()}")
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def in_state(run: Path, process: "subprocess.Popen[str]", state: State) -> bool:
    seen = status(run)
    return seen.get("pid") == process.pid and seen.get("state") == state


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors


@pytest.mark.timeout(400)
def test_the_life_of_a_learner(tmp_path: Path):
    run, config = tmp_path / "run", settings_file(tmp_path)
    store = EpisodeStore(run / "store")
    with learner(run, config) as process:
        until(process, lambda: in_state(run, process, State.WAITING))
        assert "0 transitions" in status(run)["message"]
        assert read_latest(run / "checkpoints") is None

        announce(run, record(store, "e1", seed=1))
        until(process, lambda: in_state(run, process, State.PACED))
        first = status(run)
        assert first["step"] == first["transitions"] == ledger(run)[0]["transitions"]
        assert first["episodes"] == 1
        assert first["episode_ids"] == ["e1"]
        newest = load_checkpoint(read_latest(run / "checkpoints"))
        assert newest.manifest.data_ids == ("e1",)
        assert newest.manifest.version == first["checkpoint"] == f"v{first['step']:06d}"
        stop(process)

    with learner(run, config) as process:
        until(process, lambda: in_state(run, process, State.PACED))
        assert status(run)["step"] == first["step"], "it goes on where it was"
        (run / "link" / "inbox" / "bad.json").write_text("{}")
        announce(run, record(store, "e2", seed=2, seconds=2.0))
        until(process, lambda: len(ledger(run)) == 2)
        budget = sum(line["transitions"] for line in ledger(run))
        until(process, lambda: status(run)["step"] == budget)
        until(process, lambda: in_state(run, process, State.PACED))
        second = status(run)
        assert second["refused"] == 1
        assert "1 episodes refused" in second["message"]
        stop(process)

    newest = load_checkpoint(read_latest(run / "checkpoints"))
    assert newest.manifest.data_ids == ("e1", "e2")
    assert newest.manifest.parent == first["checkpoint"]
    assert [line["episode_id"] for line in ledger(run)] == ["e1", "e2"]
    assert len((run / "learner" / "metrics.jsonl").read_text().splitlines()) >= 2

    shutil.rmtree(run / "checkpoints" / "training")
    with learner(run, config) as process:
        until(process, lambda: in_state(run, process, State.PACED))
        assert status(run)["step"] == newest.manifest.step, "the data have paid for those steps"
        stop(process)
    assert not list((run / "checkpoints").glob("v*.*")), "no step is published twice"


@pytest.mark.timeout(400)
def test_old_checkpoints_make_room_for_new_ones(tmp_path: Path):
    run = tmp_path / "run"
    output = {"publish_every": 5, "checkpoint_limit_gib": 1e-9}
    config = settings_file(tmp_path, output=output)
    announce(run, record(EpisodeStore(run / "store"), "e1", seconds=4.0))
    with learner(run, config) as process:
        until(process, lambda: in_state(run, process, State.PACED))
        stop(process)
    kept = sorted((run / "checkpoints").glob("v*"))
    steps = [load_checkpoint(folder).manifest.step for folder in kept]
    assert len(steps) == 3
    assert steps[-1] == status(run)["step"] >= 20, "at least four were published"


def offline(tmp_path: Path, config: Path, out: Path, ranks: int | None = None) -> str:
    words = [*arguments(config), "--steps", "6", "--demos", str(tmp_path / "demos")]
    words += ["--out", str(out)]
    line = (
        command(words, Placement(layout=Layout(ranks=ranks)))
        if ranks
        else [sys.executable, "-m", "hiors_learner.train", *words]
    )
    done = subprocess.run(line, env=quiet(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_offline_training_writes_one_checkpoint(tmp_path: Path):
    record(EpisodeStore(tmp_path / "demos"), "d1")
    out = tmp_path / "checkpoints" / "v000000-start"
    printed = offline(tmp_path, settings_file(tmp_path), out)
    loaded = load_checkpoint(out)
    assert loaded.manifest.version == "v000000-start"
    assert loaded.manifest.step == 6
    assert loaded.manifest.data_ids == ("d1",)
    assert float(loaded.policy.network.action_std.min()) > 0.0
    assert "step 5/6" in printed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pacing": {"udt": 1.0}}, "Did you mean 'pacing.utd'"),
        ({"data": {"batch_size": -1}}, "data.batch_size must be within"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, change: dict, message: str):
    with learner(tmp_path / "run", settings_file(tmp_path, **change)) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert message in errors
    failed = status(tmp_path / "run")
    assert failed["state"] == State.FAILED
    assert message in failed["message"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_ranks_learn_what_one_learns(tmp_path: Path):
    record(EpisodeStore(tmp_path / "demos"), "d1")
    config = settings_file(tmp_path)
    offline(tmp_path, config, tmp_path / "one")
    offline(tmp_path, config, tmp_path / "two", ranks=2)
    one, two = (load_checkpoint(tmp_path / n).policy.network.state_dict() for n in ("one", "two"))
    for name, value in one.items():
        np.testing.assert_allclose(value.numpy(), two[name].numpy(), atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "point", ["state:weights", "state:aside", "state:renamed", "checkpoint:renamed"]
)
def test_a_crash_in_training_loses_no_episode(tmp_path: Path, point: str):
    run, config = tmp_path / "run", settings_file(tmp_path)
    announce(run, record(EpisodeStore(run / "store"), "e1", seconds=4.0))
    with learner(run, config, HIORS_CRASH_AT=point) as process:
        assert process.wait(PATIENCE) == 86
    with learner(run, config) as process:
        until(process, lambda: in_state(run, process, State.PACED))
        assert status(run)["step"] == ledger(run)[0]["transitions"]
        stop(process)
    assert [line["episode_id"] for line in ledger(run)] == ["e1"]
    load_checkpoint(read_latest(run / "checkpoints"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_learner_ends_with_its_owner(tmp_path: Path):
    run, config = tmp_path / "run", settings_file(tmp_path)
    owner = subprocess.Popen(["sleep", "600"])
    try:
        with learner(run, config, HIORS_OWNER_PID=str(owner.pid)) as process:
            until(process, lambda: in_state(run, process, State.WAITING))
            owner.kill()
            owner.wait()
            assert process.wait(PATIENCE) == 0
    finally:
        owner.kill()
