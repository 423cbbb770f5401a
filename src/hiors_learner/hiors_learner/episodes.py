# SPDX-License-Identifier: Apache-2.0
"""Sealed episodes as Trajectories on a time grid. Knows no agent."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.clock import to_ns, to_s
from hiors_core.episode import Episode, load_episode
from hiors_core.errors import InvalidValue
from hiors_core.filters import NO_OP_SPAN
from hiors_core.label import Label, Outcome
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_core.summary import start_of
from hiors_core.targets import span_motion
from hiors_learner.trajectory import Trajectory, make_trajectory
from hiors_policy.actions import ActionCodec
from hiors_policy.observation import STATE_GROUPS, StateEncoder

Stamps = NDArray[np.int64]


class TrajectoryReader:
    """Turns episodes of one robot into trajectories with steps of ``dt`` [s].

    Args:
        kind: action space. objects, features: as of the policy.
    """

    def __init__(
        self,
        robot: RobotModel,
        kind: str,
        objects: Sequence[str],
        features: Sequence[str] = STATE_GROUPS,
        dt: float = 0.1,
        noop_span: float = NO_OP_SPAN,
    ) -> None:
        if not dt > 0.0:
            raise InvalidValue(f"dt must be above 0 s, got {dt}")
        self._robot, self._dt, self._span = robot, dt, noop_span
        self._encoder = StateEncoder(robot, objects, features)
        self._codec = ActionCodec(robot, kind)

    def read(
        self, source: Path | Episode, label: Label, *, demonstration: bool = False
    ) -> Trajectory:
        """Return the episode with its return R(τ) as the last step's reward.

        A failure goes on: it is the time that was over, and values are bootstrapped beyond it.
        A transition counts as logged at the grid point after it. An episode that is shorter than
        ``dt`` or has no return is refused with InvalidValue.
        """
        episode = source if isinstance(source, Episode) else load_episode(source)
        if not np.isfinite(label.episode_return):
            raise InvalidValue(
                f"Episode {episode.episode_id} has no return: its label is {label.outcome.name}"
            )
        grid = self._grid(episode)
        marks, motion = self._marks(episode, grid)
        rewards = np.zeros(len(grid) - 1, np.float32)
        rewards[-1] = label.episode_return
        seen = [episode.snapshot(int(stamp)) for stamp in grid]
        commands = self._commands(episode, grid)
        return make_trajectory(
            [self._encoder.encode(one) for one in seen],
            self._codec.encode(commands[1:], commands[0]),
            self._human(episode, grid),
            rewards,
            dt=self._dt,
            lead=self._lead(seen, commands)[:-1],
            terminal=label.outcome is not Outcome.FAILURE,
            marks=marks,
            motion=motion,
            task=episode.task,
            episode_id=episode.episode_id,
            demonstration=demonstration,
            start=start_of(episode),
        )

    def _grid(self, episode: Episode) -> Stamps:
        ticks = episode.stamps
        span = to_s(int(ticks[-1] - ticks[0])) if len(ticks) else 0.0
        if (steps := int(np.ceil(span / self._dt - 1e-3))) < 1:
            raise InvalidValue(
                f"Episode {episode.episode_id} is {span:g} s long; a step takes {self._dt:g} s"
            )
        # The last point may lie beyond the end, where everything stays as it was.
        return int(ticks[0]) + np.arange(steps + 1, dtype=np.int64) * to_ns(self._dt)

    def _commands(self, episode: Episode, grid: Stamps) -> NDArray[np.float64]:
        rows = episode.actions.interpolate(np.minimum(grid, int(episode.stamps[-1])))
        return np.stack([self._codec.base(row) for row in rows])

    def _lead(
        self, seen: Sequence[Observation], commands: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        ahead = [
            self._codec.encode(command[None], self._codec.base(one.position))[0]
            for one, command in zip(seen, commands, strict=True)
        ]
        lead = np.stack(ahead)
        lead[:, self._codec.grippers] = 0.0
        return lead

    @staticmethod
    def _human(episode: Episode, grid: Stamps) -> NDArray[np.bool_]:
        middles = (grid[:-1] + grid[1:]) // 2
        tick = np.searchsorted(episode.stamps, middles, side="right") - 1
        human: NDArray[np.bool_] = episode.authority[tick] == Authority.HUMAN
        return human

    def _marks(self, episode: Episode, grid: Stamps) -> tuple[Stamps, NDArray[np.float64]]:
        """Return grid points of the logged transitions, each once, and their motion [m]."""
        motion = span_motion(episode, self._robot, self._span)
        slack = to_ns(0.5 * self._dt)
        stamps = np.array([mark.stamp for mark in episode.marks], np.int64)
        places = np.searchsorted(grid, stamps - slack // 2)
        inside = places < len(grid) - 1
        kept, first = np.unique(places[inside], return_index=True)
        return kept, np.asarray(motion, np.float64)[inside][first]
