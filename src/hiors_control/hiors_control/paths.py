# SPDX-License-Identifier: Apache-2.0
"""Where the tools were and where the policy wants them: what the markers show. Knows no ROS."""

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from hiors_core.action_space import EE_COLUMNS, ActionMapper, action_space
from hiors_core.authority import Authority
from hiors_core.clock import to_ns, to_s
from hiors_core.errors import InvalidValue
from hiors_core.robot import Array, RobotModel


class Paths:
    """Tool positions in each arm's base frame [m], of the newest chunk and of the last seconds."""

    def __init__(self, robot: RobotModel, trail: float) -> None:
        self.robot = robot
        self._mapper = ActionMapper(robot)
        self._trail = to_ns(trail)
        self._position: Array | None = None
        self._executed: deque[tuple[int, Authority, Array]] = deque()
        self._chunk: Array | None = None
        self._until = 0

    def on_chunk(
        self, kind: str, names: Sequence[str], values: Array, stamp: int, dt: float
    ) -> None:
        """Take a chunk of values (H, A) whose row k is meant for ``stamp`` + (k + 1) ``dt``.

        Raises InvalidValue when its columns are not this robot's.
        """
        wanted = action_space(self.robot, kind).names
        if tuple(names) != wanted or values.ndim != 2 or values.shape[1] != len(wanted):
            raise InvalidValue(f"A chunk has the columns {', '.join(names)}, not those of {kind}")
        actions = self._mapper.convert(values, "ee") if kind == "joint" else values
        self._chunk = self._positions(actions)
        self._until = stamp + to_ns(dt * len(values))

    def on_executed(self, values: Mapping[str, float], authority: int, stamp: int) -> None:
        """Take an executed action; one that lacks a joint is left out."""
        names = self.robot.names
        if any(name not in values for name in names):
            return
        position = np.array([values[name] for name in names], dtype=np.float64)
        self._position = position
        tips = self._positions(self._mapper.joint_to_ee(position)[None])[:, 0]
        self._executed.append((stamp, Authority(authority), tips))

    def future(self, now: int) -> Array | None:
        """Return the chunk's tool positions (arms, H, 3), or None when it lies behind."""
        return self._chunk if self._chunk is not None and now < self._until else None

    def executed(self, now: int) -> list[tuple[Authority, Array]]:
        """Return who drove and the tool positions (arms, 3), oldest first."""
        while self._executed and now - self._executed[0][0] > self._trail:
            self._executed.popleft()
        return [(authority, tips) for _, authority, tips in self._executed]

    def age(self, now: int) -> float:
        """Return how long ago the newest executed action was [s]."""
        return to_s(now - self._executed[-1][0]) if self._executed else float("inf")

    def near_edge(self, arm: int, tip: Array, margin: float) -> bool:
        """Tell whether a tool position (3,) is within ``margin`` [m] of its workspace's edge."""
        limits = self.robot.arms[arm].limits
        room = np.minimum(tip - limits.workspace_lower, limits.workspace_upper - tip)
        return bool(room.min() < margin)

    def near_limits(self, arm: int, share: float) -> list[str]:
        """Return the arm's joints within ``share`` of their range from one of its ends."""
        if self._position is None:
            return []
        values = dict(zip(self.robot.names, self._position, strict=True))
        joints, limits = self.robot.arms[arm].joints, self.robot.arms[arm].limits
        rows = zip(joints, limits.lower, limits.upper, strict=True)
        return [
            name
            for name, low, high in rows
            if min(values[name] - low, high - values[name]) < share * (high - low)
        ]

    def _positions(self, actions: Array) -> Array:
        starts = range(0, EE_COLUMNS * len(self.robot.arms), EE_COLUMNS)
        return np.stack([actions[:, start : start + 3] for start in starts])
