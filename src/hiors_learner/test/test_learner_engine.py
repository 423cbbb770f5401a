# SPDX-License-Identifier: Apache-2.0
"""DeepSpeed's state on disk: training goes on as if it had never stopped; old states go away."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:
    here = Path(__file__).parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    environment["PYTHONPATH"] = os.pathsep.join([str(here), *sys.path])
    folder = tmp_path_factory.mktemp("training")
    done = subprocess.run(
        [sys.executable, str(here / "learner_resume_worker.py"), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict = json.loads(done.stdout.splitlines()[-1])
    return result


def test_without_a_state_nothing_is_resumed(report: dict):
    assert report["found_nothing"] is False


def test_a_resumed_learner_goes_on_at_the_same_step(report: dict):
    assert report["resumed"] is True
    assert report["step"] == 6


def test_losses_go_on_as_if_nothing_had_happened(report: dict):
    assert report["stopped"]["losses"] == pytest.approx(report["straight"]["losses"], rel=1e-4)


def test_only_the_newest_states_stay(report: dict):
    assert len(report["tags"]) == 2
    assert report["tags"][-1].startswith("step000015-")
