# SPDX-License-Identifier: Apache-2.0
"""What every robot's driver node is to the graph: control/command in; state and executed actions
out; enable and clear_error. Knows no robot: a subclass brings the driver.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from hiors_core.authority import Authority
from hiors_core.command import Command
from hiors_core.driver_arm import ArmState, Reading
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import RobotModel
from hiors_core.set_points import DriverStatus
from hiors_interfaces.msg import ControlCommand, ExecutedAction
from hiors_ros.conversions import doubles, to_ns, to_pose, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode
from hiors_ros.parameters import Doc, Range
from hiors_ros.slow_services import SlowServices


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamParameters:
    """Parameters that every driver has."""

    arms: Annotated[
        tuple[str, ...], Doc("Arms to drive, as in the robot file; empty: all of them.")
    ] = ()
    interpolation_delay: Annotated[
        float,
        Doc("From a command's stamp to its execution [s]; at least one control period."),
        Range(0.0, 0.2),
    ] = 0.04
    command_timeout: Annotated[
        float,
        Doc("Silence on control/command after which the driver holds [s]."),
        Range(0.05, 1.0),
    ] = 0.2
    max_jump: Annotated[
        float,
        Doc("A command farther than this from where the arm is gets refused [rad]."),
        Range(0.05, 1.0),
    ] = 0.6
    state_rate: Annotated[
        float, Doc("Rate of joint_states and ee_pose [Hz]."), Range(1.0, 125.0)
    ] = 60.0


class Driver(Protocol):
    """A robot's driver; see hiors_core.set_points.SetPoints for what is the same in all."""

    def start(self) -> None:
        """Connect and stream."""

    def close(self) -> None:
        """Stop streaming; the arms hold their position."""

    def command(self, command: Command) -> str | None:
        """Take a command; returns why it is refused, or None."""

    def reading(self) -> Reading | None:
        """Return the newest measured state, None while any part of it is missing or old."""

    def status(self) -> DriverStatus:
        """Return how the driver is doing."""

    def counters(self) -> Mapping[str, object]:
        """Return what else to report."""

    def enable(self) -> "list[Future[str]]":
        """Ask every arm for a start-up."""

    def clear_error(self) -> "list[Future[str]]":
        """Ask every arm to clear its alarms."""


class DriverNode(HiorsNode):
    """Base of the driver nodes, all named "driver".

    A subclass declares its parameters, makes its driver with ``publish_executed`` and gives it to
    ``drive``.
    """

    _driver: Driver | None = None

    def drive(self, robot: RobotModel, driver: Driver, state_rate: float) -> None:
        """Offer the driver to the graph and start it."""
        self._robot, self._driver = robot, driver
        self._names = list(robot.names)
        self._kinematics = [ArmKinematics(arm) for arm in robot.arms]
        self._joints = self.advertise(JointState, "joint_states")
        self._executed = self.advertise(ExecutedAction, "control/executed")
        self._poses = [self.advertise(PoseStamped, f"ee_pose/{arm.name}") for arm in robot.arms]
        self._stamp = 0
        self._late = 0
        self._problem = ""
        driver.start()
        self.subscribe(ControlCommand, "control/command", self._on_command)
        self._slow = SlowServices(self)
        self._slow.serve(Trigger, "driver/enable", _handler(driver.enable))
        self._slow.serve(Trigger, "driver/clear_error", _handler(driver.clear_error))
        self.create_timer(1.0 / state_rate, self._publish_state)
        self.create_timer(1.0, self._report)

    def close(self) -> None:
        """Stop streaming; the arms hold their position."""
        if self._driver is not None:
            self._driver.close()
            self._slow.close()

    def publish_executed(self, command: Command) -> None:
        """Publish what was really sent (any thread)."""
        message = ExecutedAction(
            tick=command.tick,
            epoch=command.epoch,
            authority=int(command.authority),
            names=self._names,
            position=doubles(command.position),
            policy_version=command.policy_version,
            chunk_sequence=command.chunk_sequence,
            chunk_time=command.chunk_time,
            limited=list(command.limited),
        )
        message.header.stamp = to_stamp(command.stamp)
        self._executed.publish(message)

    def _on_command(self, message: ControlCommand) -> None:
        if list(message.names) != self._names:
            self._refuse(f"names {list(message.names)} are not the robot's {self._names}")
            return
        reason = self._driver.command(
            Command(
                stamp=to_ns(message.header.stamp),
                tick=message.tick,
                epoch=message.epoch,
                authority=Authority(message.authority),
                position=np.array(message.position),
                policy_version=message.policy_version,
                chunk_sequence=message.chunk_sequence,
                chunk_time=message.chunk_time,
                limited=tuple(message.limited),
            )
        )
        if reason is not None:
            self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        self.get_logger().warning(f"command refused: {reason}", throttle_duration_sec=1.0)
        self.diagnostics.set("command", Level.ERROR, f"command refused: {reason}")

    def _publish_state(self) -> None:
        reading = self._driver.reading()
        if reading is None or reading.stamp == self._stamp:
            return
        self._stamp = reading.stamp
        stamp = to_stamp(reading.stamp)
        message = JointState(
            name=self._names,
            position=doubles(reading.position),
            velocity=doubles(reading.velocity),
        )
        message.header.stamp = stamp
        self._joints.publish(message)
        for arm, chain, publisher in zip(
            self._robot.arms, self._kinematics, self._poses, strict=True
        ):
            columns = self._robot.columns(arm)
            pose = PoseStamped()
            pose.header.stamp, pose.header.frame_id = stamp, arm.base_frame
            pose.pose = to_pose(chain.forward(reading.position[columns.start : columns.stop - 1]))
            publisher.publish(pose)

    def _report(self) -> None:
        status = self._driver.status()
        if status.problem != self._problem:
            self._problem = status.problem
            self.get_logger().info(status.problem or "streaming")
        for name, arm in status.arms.items():
            level = Level.OK if arm.state is ArmState.READY else Level.ERROR
            if arm.state in (ArmState.STARTING, ArmState.STOPPED):
                level = Level.WARN
            self.diagnostics.set(f"arm {name}", level, arm.reason or arm.state.value)
        late, self._late = status.late - self._late, status.late
        slow = f"streaming, but {late} set-points of the last second were late" if late else ""
        self.diagnostics.set(
            "stream",
            Level.WARN if status.problem or late else Level.OK,
            status.problem or slow or "streaming",
            sent=status.sent,
            refused=status.refused,
            late=status.late,
            period_p50_ms=f"{1e3 * status.period_p50:.1f}",
            period_max_ms=f"{1e3 * status.period_max:.1f}",
            **self._driver.counters(),
        )
        if not status.refused or not status.problem:
            self.diagnostics.set("command", Level.OK, "commands are accepted")


def _handler(
    action: Callable[[], list[Future[str]]],
) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
    """Return a service handler that does the action and reports on every arm."""

    def serve(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        works = action()
        wait(works)
        errors = [work.exception() for work in works]
        response.success = not any(errors)
        response.message = "; ".join(
            str(error) if error else work.result()
            for work, error in zip(works, errors, strict=True)
        )
        return response

    return serve
