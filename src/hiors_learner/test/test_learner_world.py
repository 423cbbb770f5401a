# SPDX-License-Identifier: Apache-2.0
"""The number of ranks changes nothing: not what is learned, and not what can be resumed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hiors_core.errors import InvalidValue
from hiors_learner.engine import check_split
from hiors_learner.team import free_port

HERE = Path(__file__).parent


def trained(folder: Path, kind: str, world: int, steps: int) -> dict:
    """Return what rank 0 of ``world`` ranks says after so many steps more."""
    paths = os.pathsep.join([str(HERE), *sys.path])
    shared = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1"}
    shared |= {"MASTER_PORT": str(free_port()), "PYTHONPATH": paths}
    shared |= {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    line = [sys.executable, str(HERE / "learner_world_worker.py"), str(folder), kind, str(steps)]
    ranks = [
        subprocess.Popen(
            line,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    try:
        said = [rank.communicate(timeout=120) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    for rank, (_, errors) in zip(ranks, said, strict=True):
        assert rank.returncode == 0, errors[-3000:]
    result: dict = json.loads(said[0][0].splitlines()[-1])
    return result


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["small", "pi0"])
def test_two_ranks_then_one_then_two_go_on_as_one_that_never_stopped(tmp_path: Path, kind: str):
    straight = trained(tmp_path / "straight", kind, 1, 12)
    parts = [trained(tmp_path / "state", kind, world, 4) for world in (2, 1, 2)]
    losses = [loss for part in parts for loss in part["losses"]]
    assert [part["step"] for part in parts] == [4, 8, 12]
    assert losses == pytest.approx(straight["losses"], rel=2e-4)
    assert parts[-1]["weights"] == pytest.approx(straight["weights"], rel=2e-4)
    frozen = [p.stat().st_ino for p in (tmp_path / "state").glob("step*/frozen.safetensors")]
    assert len(set(frozen)) == (kind == "pi0"), "what does not learn is on the disk once"


def test_a_batch_that_cannot_be_shared_is_refused():
    check_split(8, 4)
    with pytest.raises(
        InvalidValue, match=r"batch_size 8 .* by 3 ranks.*multiple of 3, such as 6"
    ):
        check_split(8, 3)
    with pytest.raises(InvalidValue, match="such as 4"):
        check_split(2, 4)
