# SPDX-License-Identifier: Apache-2.0
"""Ranks that DeepSpeed's launcher starts from a hostfile, and ranks that torchrun starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from learner_scene import record, settings_file
from test_learner_train import arguments, quiet

from hiors_core.store import EpisodeStore
from hiors_policy.checkpoint import load_checkpoint

LAUNCH = [sys.executable, "-m", "hiors_learner.launch"]


def train(tmp_path: Path, *line: str) -> "subprocess.CompletedProcess[str]":
    words = [*arguments(settings_file(tmp_path)), "--steps", "4"]
    words += ["--demos", str(tmp_path / "demos"), "--out", str(tmp_path / "out")]
    return subprocess.run(
        [*line, *words], env=quiet(), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_torchrun_starts_the_ranks(tmp_path: Path):
    record(EpisodeStore(tmp_path / "demos"), "d1")
    runner = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    address = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    done = train(tmp_path, *runner, *address, "--no-python", *LAUNCH)
    assert done.returncode == 0, done.stderr[-3000:]
    assert load_checkpoint(tmp_path / "out").manifest.step == 4


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hostfile_starts_the_ranks(tmp_path: Path):
    record(EpisodeStore(tmp_path / "demos"), "d1")
    hosts = tmp_path / "hosts"
    hosts.write_text("localhost slots=2\n")
    done = train(tmp_path, *LAUNCH, "--hostfile", str(hosts))
    assert done.returncode == 0, done.stderr[-3000:]
    assert load_checkpoint(tmp_path / "out").manifest.step == 4


def test_torchrun_and_our_own_launcher_are_not_mixed(tmp_path: Path):
    line = [*LAUNCH, "--ranks", "2"]
    environment = {**os.environ, "TORCHELASTIC_RUN_ID": "x"}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "do not go with torchrun" in done.stderr
