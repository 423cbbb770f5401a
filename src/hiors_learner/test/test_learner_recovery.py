# SPDX-License-Identifier: Apache-2.0
"""Two real ranks under the supervisor: whatever dies, training goes on by itself from the last
whole state, and neither steps nor versions are lost or come twice (reliability: row 18).
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learner_scene import announce, ledger, record, settings_file, status
from test_learner_train import PATIENCE, arguments, quiet

from hiors_core.clock import SteadyClock
from hiors_core.durable import CRASH_VARIABLE
from hiors_core.store import EpisodeStore
from hiors_learner.launch import LaunchSettings, Supervisor, command
from hiors_learner.places import Layout, Placement
from hiors_learner.states import newest_state
from hiors_learner.status import State
from hiors_policy.checkpoint import read_latest, read_manifest

TWO = Placement(layout=Layout(ranks=2))
PATHS = {"PYTHONPATH", "OMP_NUM_THREADS"}


@contextmanager
def supervised(
    run: Path, config: Path, monkeypatch: pytest.MonkeyPatch, *crashes: str
) -> Iterator[Supervisor]:
    """Run two ranks; the first starts end at these crash points, one each."""
    for name, value in quiet().items():
        if name in PATHS:
            monkeypatch.setenv(name, value)

    def make() -> list[str]:
        monkeypatch.setenv(CRASH_VARIABLE, dict(enumerate(crashes, 1)).get(one.starts, ""))
        return command([*arguments(config), "--run", str(run)], TWO)

    one = Supervisor(make, LaunchSettings(pause=0.1), SteadyClock(), TWO)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one
    finally:
        one.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 4 * PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return found


def ranks(run: Path) -> dict[int, int]:
    """Return the processes of the training of a run by rank."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        named = [v.removeprefix(b"RANK=") for v in variables if v.startswith(b"RANK=")]
        if str(run).encode() in words and named and b"deepspeed.launcher.launch" not in words:
            found[int(named[0])] = int(folder.name)
    return found


def lines(run: Path) -> list[dict]:
    path = run / "learner" / "metrics.jsonl"
    return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []


def published(run: Path) -> int:
    newest = read_latest(run / "checkpoints")
    return read_manifest(newest).step if newest else 0


def paced(run: Path, step: int) -> bool:
    seen = status(run)
    return seen.get("state") == State.PACED and seen.get("step") == step


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_killed_is_back_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
):
    run = tmp_path / "run"
    config = settings_file(tmp_path, pacing={"utd": 6.0})
    announce(run, record(EpisodeStore(run / "store"), "e1", seconds=1.0))
    with supervised(run, config, monkeypatch) as one:
        until(lambda: published(run) >= 40)
        os.kill(ranks(run)[rank], signal.SIGKILL)
        killed_at, version = len(lines(run)), published(run)
        states = sorted(p.name for p in (run / "checkpoints" / "training").glob("step*"))
        assert states
        until(lambda: one.starts == 2)
        seen = []
        budget = 6 * ledger(run)[0]["transitions"]
        until(lambda: seen.append(published(run)) or paced(run, budget))
        after = [line["step"] for line in lines(run)[killed_at:]]
    assert after == sorted(after)
    assert after[0] >= 20, "not from the beginning"
    assert min(seen) >= version
    assert seen == sorted(seen), "no version goes back"
    assert not list((run / "checkpoints").glob("v*.*")), "no step is published twice"
    assert [line["episode_id"] for line in ledger(run)] == ["e1"]


def trained(run: Path, config: Path, monkeypatch: pytest.MonkeyPatch, *crashes: str) -> int:
    """Train on one episode until its steps are done, through those crashes; return the steps."""
    announce(run, record(EpisodeStore(run / "store"), "e1", seconds=1.0))
    states, first = run / "checkpoints" / "training", "step000020-000001"
    kept = [{first}, {first, ".step000040-000002"}][: len(crashes)]
    with supervised(run, config, monkeypatch, *crashes) as one:
        for start, names in enumerate(kept, 2):
            until(lambda start=start: one.starts == start)
            assert {p.name for p in states.iterdir()} == names
        budget = 6 * until(lambda: ledger(run))[0]["transitions"]
        until(lambda: paced(run, budget))
    header = newest_state(states).header
    assert (header.step, header.moments, header.world) == (budget, budget, 2)
    assert not list(states.glob(".step*"))
    assert [line["episode_id"] for line in ledger(run)] == ["e1"]
    assert not list((run / "checkpoints").glob("v*.*")), "no step is published twice"
    return budget


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_dies_while_it_saves_goes_on_from_the_last_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = settings_file(tmp_path, pacing={"utd": 6.0})
    one, other = tmp_path / "disturbed", tmp_path / "undisturbed"
    budget = trained(one, config, monkeypatch, "state:renamed", "state:exp_avg")
    assert trained(other, config, monkeypatch) == budget
    logged = list(range(5, budget + 1, 5))
    seen = [line["step"] for line in lines(one)]
    assert seen == [*logged[:4], *logged[4:8], *logged[4:]], "from 20 on, each time"
    weights = [
        dict(newest_state(run / "checkpoints" / "training").read("weights"))
        for run in (one, other)
    ]
    for name, value in weights[1].items():
        np.testing.assert_allclose(weights[0][name], value, atol=1e-6, err_msg=name)
