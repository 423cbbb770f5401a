# SPDX-License-Identifier: Apache-2.0
"""The command line of the learner, and what it means together. Knows no training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hiors_core.errors import InvalidValue

Kind = Literal["state", "vision"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """Trains a flow-matching policy on accepted episodes and demonstrations (paper eq. 5).

    Online: --run DIR. Takes in what the bridge announces in DIR/link, publishes checkpoints in
    DIR/checkpoints, and resumes where it stopped.
    Offline: --steps N --demos DIR --out FOLDER. Trains on demonstrations only and writes one
    checkpoint.
    """

    robot: Path
    """Robot file, such as config/robots/xtrainer.yaml."""
    task: Path
    """Task file, such as config/tasks/insert_moisturizer.yaml."""
    config: Path
    """Learner file, such as config/learner/default.yaml."""
    arms: tuple[str, ...] = ()
    """Arms in use; none given: the task's arm."""
    policy: Kind = "state"
    """What a policy made from nothing sees: object poses or images."""
    run: Path | None = None
    """Folder of the run (online)."""
    start: Path | None = None
    """Checkpoint to start from; else the newest in the run, else from nothing."""
    demos: Path | None = None
    """Episode store with demonstrations; else demos/ in the run."""
    steps: int | None = None
    """Optimiser steps to do (offline)."""
    out: Path | None = None
    """Checkpoint folder to write (offline); must not exist."""
    local_rank: Annotated[int, tyro.conf.Suppress] = 0

    @property
    def offline(self) -> bool:
        """Whether only demonstrations are trained on."""
        return self.run is None

    def check(self) -> None:
        """Raise InvalidValue unless the arguments fit together."""
        offline = {"--steps": self.steps, "--demos": self.demos, "--out": self.out}
        if self.offline:
            if lacking := [name for name, value in offline.items() if value is None]:
                raise InvalidValue(
                    f"Give --run DIR to learn online, or --steps, --demos and --out to train on"
                    f" demonstrations only; missing: {', '.join(lacking)}"
                )
            if self.out is not None and self.out.exists():
                raise InvalidValue(f"--out {self.out} exists: a checkpoint is never overwritten")
        elif self.steps is not None or self.out is not None:
            raise InvalidValue("--steps and --out train offline; they do not go with --run")
        if self.steps is not None and self.steps < 1:
            raise InvalidValue(f"--steps must be at least 1, got {self.steps}")
