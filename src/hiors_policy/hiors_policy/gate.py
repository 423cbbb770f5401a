# SPDX-License-Identifier: Apache-2.0
"""Is a checkpoint worse than the one before? Judged open loop on episodes that none of them learns
from; knows neither where checkpoints come from nor who uses them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hiors_core.episode import Transition, load_episode, transitions
from hiors_core.errors import InvalidValue
from hiors_core.robot import RobotModel
from hiors_core.store import EpisodeStore
from hiors_policy.policy import Policy, PolicySpec

SAMPLES = 32
"""Transitions that are compared, spread evenly over all there are."""

_STILL = 1e-3
"""[m], [rad] or strokes: columns that hardly move weigh no more than if they moved by this."""


class Gate:
    """Compares the chunks of policies of one kind with what was executed in held-out episodes."""

    def __init__(
        self, store: Path, robot: RobotModel, spec: PolicySpec, instruction: str, ratio: float
    ) -> None:
        """Read the episodes; InvalidValue when there are none.

        Args:
            ratio: how many times the error of the old policy a new one may have.
        """
        if ratio < 1.0:
            raise InvalidValue(f"The ratio of the gate must be at least 1, got {ratio}")
        if not (store / "episodes").is_dir():
            raise InvalidValue(f"There is no episode store at {store}: the gate needs one")
        found = [
            row
            for name in EpisodeStore(store).ids()
            for row in _rows(store / "episodes" / name, robot, spec)
        ]
        if not found:
            raise InvalidValue(f"The episode store {store} has no transition for the gate")
        chosen = np.linspace(0, len(found) - 1, min(SAMPLES, len(found))).round().astype(int)
        self._rows = [found[i] for i in chosen]
        moved = np.concatenate([r.actions - r.actions[0] for r in found]).std(axis=0)
        self._scale = np.maximum(moved, _STILL)
        self._instruction, self._ratio = instruction, ratio

    def error(self, policy: Policy) -> float:
        """Return the mean distance of the policy's chunks from what was executed, in standard
        deviations of the executed motion.
        """
        each = [
            np.abs(policy.predict(row.observation, self._instruction, i) - row.actions)[row.mask]
            for i, row in enumerate(self._rows)
        ]
        return float((np.concatenate(each) / self._scale).mean())

    def check(self, policy: Policy, best: float) -> float:
        """Return the error of a new policy, or raise InvalidValue when it is too far above
        ``best``, the error of the one that serves.
        """
        error = self.error(policy)
        if not error <= self._ratio * best:
            raise InvalidValue(
                f"worse than the policy that serves: its chunks are {error:.3g} standard"
                f" deviations off on {len(self._rows)} held-out transitions, those of the present"
                f" one {best:.3g}, and {self._ratio:g} times that is allowed"
            )
        return error


def _rows(folder: Path, robot: RobotModel, spec: PolicySpec) -> Sequence[Transition]:
    episode = load_episode(folder)
    images = bool(spec.cameras)
    return transitions(episode, spec.kind, spec.horizon, spec.dt, robot, images=images)
