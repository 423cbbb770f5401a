# SPDX-License-Identifier: Apache-2.0
"""The optimiser: DeepSpeed ZeRO-2 around the objective, moving average, state on disk."""

import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from hiors_core.durable import crash_point, fsync_path, read_document, write_atomic, write_document
from hiors_core.errors import IntegrityError
from hiors_core.names import check_version
from hiors_learner.losses import Batch, make_objective
from hiors_learner.schedule import learning_rate
from hiors_learner.settings import LearnerSettings
from hiors_learner.team import Team
from hiors_policy.ema import MovingAverage
from hiors_policy.learnable import Learnable

LATEST = "latest.json"
AVERAGE = "average.safetensors"

log = logging.getLogger(__name__)


class Engine:
    """Trains the policy's network in place. Every rank has one and calls the same methods in the
    same order.
    """

    def __init__(self, policy: Learnable, settings: LearnerSettings, team: Team) -> None:
        import deepspeed

        self._settings, self._team = settings, team
        objective = make_objective(policy, settings.loss)
        chosen = settings.optimizer
        optimizer = torch.optim.AdamW(
            [p for p in objective.parameters() if p.requires_grad],
            lr=chosen.learning_rate,
            betas=(chosen.beta1, chosen.beta2),
            weight_decay=chosen.weight_decay,
            fused=True,
        )
        self._engine, self._optimizer, _, _ = deepspeed.initialize(
            model=objective, optimizer=optimizer, config=_deepspeed_config(settings, team.world)
        )
        self.average = MovingAverage(policy.network, chosen.average)
        self._network = policy.network

    @property
    def steps(self) -> int:
        """Optimiser steps done."""
        return int(self._engine.global_steps)

    def count_from(self, step: int) -> None:
        """Go on counting from a step that was done before this process began."""
        self._engine.global_steps = step

    @property
    def gradient_norm(self) -> float:
        """Norm of the last gradient before clipping."""
        return float(self._engine.get_global_grad_norm() or 0.0)

    @property
    def learning_rate(self) -> float:
        """Rate of the next step."""
        return learning_rate(self.steps, self._settings.optimizer)

    def step(self, batch: Batch) -> float:
        """Do one optimiser step and return this rank's loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        loss = self._engine(batch)
        self._engine.backward(loss)
        self._engine.step()
        if self._team.leads:
            self.average.update(self._network, self.steps)
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Write a state to resume from; a crash at any point leaves the one before in force."""
        # A tag is never used twice, and DeepSpeed's own `latest` is not written: it can name a
        # state whose other rank has died before writing its part.
        tag = f"step{self.steps:06d}-{self._team.agree(time.time_ns())}"
        self._engine.save_checkpoint(str(folder), tag=tag, save_latest=False)
        crash_point("state:saved")
        if not self._team.leads:
            return
        data = safetensors.torch.save({n: t.contiguous() for n, t in self.average.state().items()})
        write_atomic(folder / tag / AVERAGE, data, "average")
        for path in sorted((folder / tag).rglob("*")):
            fsync_path(path)
        content = {"tag": tag, "step": self.steps, "world": self._team.world}
        write_document(folder / LATEST, content, "state-latest")
        _prune(folder, self._settings.output.keep)

    def resume(self, folder: Path) -> bool:
        """Load the newest state if there is one; with another number of ranks only its weights."""
        try:
            latest = read_document(folder / LATEST)
        except FileNotFoundError:
            return False
        tag = check_version(str(latest["tag"]))
        same = latest["world"] == self._team.world
        path, _ = self._engine.load_checkpoint(
            str(folder), tag=tag, load_optimizer_states=same, load_lr_scheduler_states=False
        )
        if path is None:
            raise IntegrityError(f"The training state {folder / tag} cannot be loaded")
        if not same:
            log.warning("state of %s ranks on %s: weights only", latest["world"], self._team.world)
        self.average.load(safetensors.torch.load((folder / tag / AVERAGE).read_bytes()))
        return True


def _deepspeed_config(settings: LearnerSettings, world: int) -> dict[str, Any]:
    return {
        "train_micro_batch_size_per_gpu": max(1, settings.data.batch_size // world),
        "gradient_accumulation_steps": 1,
        "gradient_clipping": settings.optimizer.clip,
        "zero_optimization": {"stage": 2},
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 10**9,
    }


def _prune(folder: Path, keep: int) -> None:
    tags = sorted((p for p in folder.glob("step*") if p.is_dir()), key=os.path.getmtime)
    for old in tags[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
