# SPDX-License-Identifier: Apache-2.0
"""Between the control messages and the values of hiors_core. Knows no node."""

import math

import numpy as np
from sensor_msgs.msg import JointState

from hiors_core.arbiter import Arbiter, Command
from hiors_core.chunk import Chunk
from hiors_core.errors import InvalidValue
from hiors_core.pacing import LoopReport
from hiors_core.teleop import Teleop
from hiors_interfaces.msg import (
    ActionChunk,
    ControlCommand,
    ControlState,
    DriverState,
    TeleopCommand,
)
from hiors_ros.conversions import Array, doubles, to_array, to_ns, to_stamp

_MODES = {TeleopCommand.RELATIVE_EE: "relative_ee", TeleopCommand.JOINT: "joint"}


def to_chunk(message: ActionChunk) -> Chunk:
    """Read a chunk; values that are no matrix of its horizon stay flat, to be refused so."""
    values = np.array(message.values, dtype=np.float64)
    shape = (int(message.horizon), len(message.names))
    return Chunk(
        obs_stamp=to_ns(message.obs_stamp),
        sequence=int(message.sequence),
        epoch=int(message.epoch),
        policy_version=message.policy_version,
        kind=message.action_space,
        names=tuple(message.names),
        units=tuple(message.units),
        dt=message.dt,
        values=values.reshape(shape) if len(values) == shape[0] * shape[1] else values,
    )


def to_teleop(message: TeleopCommand) -> Teleop:
    """Read what a person's device asks for."""
    return Teleop(
        stamp=to_ns(message.header.stamp),
        device=message.device,
        operator=message.operator_name,
        arm=message.arm,
        mode=_MODES.get(message.mode, str(message.mode)),
        engaged=message.engaged,
        clutch=int(message.clutch),
        pose=to_array(message.pose),
        names=tuple(message.names),
        position=np.array(message.position, dtype=np.float64),
        gripper=None if math.isnan(message.gripper) else message.gripper,
    )


def fill_command(message: ControlCommand, command: Command) -> ControlCommand:
    """Write a command into a message whose names are set."""
    message.header.stamp = to_stamp(command.stamp)
    message.tick, message.epoch = command.tick, command.epoch
    message.authority = int(command.authority)
    message.position = doubles(command.position)
    message.policy_version = command.policy_version
    message.chunk_sequence = command.chunk_sequence
    message.chunk_time = command.chunk_time
    message.limited = list(command.limited)
    return message


def state_message(arbiter: Arbiter, loop: LoopReport, stamp: int) -> ControlState:
    """Say who drives and how the loop is doing."""
    counters = arbiter.counters
    message = ControlState(
        authority=int(arbiter.authority),
        epoch=arbiter.epoch,
        reason=arbiter.reason,
        operator_name=arbiter.operator,
        policy_version=arbiter.policy_version,
        wants_chunks=arbiter.wants_chunks,
        ready=not arbiter.problems,
        problems=list(arbiter.problems),
        rate_hz=loop.rate_hz,
        period_p50=loop.period_p50,
        period_p99=loop.period_p99,
        period_max=loop.period_max,
        missed_ticks=loop.missed_ticks,
        starvations=counters.starvations,
        rejected_chunks=counters.rejected_chunks,
        limited_ticks=counters.limited_ticks,
    )
    message.header.stamp = to_stamp(stamp)
    return message


_DRIVER_WORDS = {
    DriverState.DISCONNECTED: "not connected",
    DriverState.STARTING: "starting",
    DriverState.FAULT: "in fault",
}


class RobotHealth:
    """Joins DriverState messages, of one driver or several, into what is wrong with the robot."""

    def __init__(self) -> None:
        self._problems: dict[str, str] = {}

    def update(self, message: DriverState) -> str:
        """Return why the robot takes no commands, one clause an arm; "" when it does."""
        for arm, state, reason in zip(message.arms, message.states, message.reasons, strict=False):
            # A driver that the arbiter stopped obeys the arbiter: that is no problem.
            word = _DRIVER_WORDS.get(state, "")
            self._problems[arm] = f"{arm} arm {word}: {reason}" if word else ""
        return "; ".join(filter(None, self._problems.values()))


class Feedback:
    """Joins JointState messages, whole or in parts, into the robot's position (N,)."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._index = {name: i for i, name in enumerate(names)}
        self._layout: tuple[str, ...] = ()
        self._sources: list[int] = []
        self._targets: list[int] = []
        self._position: Array = np.full(len(names), np.nan)
        self._stamps = np.zeros(len(names), dtype=np.int64)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names that no message has had yet."""
        return tuple(n for n, i in self._index.items() if not self._stamps[i])

    def update(self, message: JointState) -> tuple[Array, int] | None:
        """Return the position (N,) and the stamp of its oldest part [ns]; None if incomplete."""
        layout = tuple(message.name)
        if layout != self._layout:
            known = [(i, self._index[n]) for i, n in enumerate(layout) if n in self._index]
            self._sources, self._targets = [s for s, _ in known], [t for _, t in known]
            self._layout = layout
        if len(message.position) != len(layout):
            raise InvalidValue(
                f"joint_states: {len(message.position)} positions for {len(layout)} names"
            )
        if not self._targets:
            return None
        self._position[self._targets] = np.asarray(message.position)[self._sources]
        self._stamps[self._targets] = to_ns(message.header.stamp)
        oldest = int(self._stamps.min())
        return (self._position.copy(), oldest) if oldest else None
