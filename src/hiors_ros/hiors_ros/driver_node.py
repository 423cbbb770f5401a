# SPDX-License-Identifier: Apache-2.0
"""What every robot's driver node is to the graph: control/command in; state, health and executed
actions out; enable and clear_error. Knows no robot: a subclass brings the driver.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.duration import Duration
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from hiors_core.authority import Authority
from hiors_core.command import Command
from hiors_core.driver_arm import ArmState, ArmStatus, Reading
from hiors_core.errors import StateError
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import RobotModel
from hiors_core.set_points import DriverStatus
from hiors_interfaces.msg import ControlCommand, DriverState, ExecutedAction
from hiors_ros.conversions import doubles, to_ns, to_pose, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.driver_claim import LOOK, LOOKS, LOOKS_AT_KNOWN, DriverClaim
from hiors_ros.node import HiorsNode
from hiors_ros.parameters import Doc, Range
from hiors_ros.slow_services import SlowServices

_WATCH = 1.0 / 30.0
"""How often it is looked whether driver/state changed [s]."""
_LAST_WORD = Duration(seconds=0.5)
"""How long the end waits until the others have heard of it."""


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
    _started = False

    def drive(self, robot: RobotModel, driver: Driver, state_rate: float) -> None:
        """Offer the driver to the graph, and start it unless another one drives the same arms."""
        self._robot, self._driver = robot, driver
        self._claim = DriverClaim(
            [arm.name for arm in robot.arms], self.resolve_topic_name("driver/state")
        )
        self._states = self.advertise(DriverState, "driver/state")
        self.subscribe(DriverState, "driver/state", self._on_driver)
        self._told: dict[str, ArmStatus] = {}
        self._rival = ""
        self._names = list(robot.names)
        self._kinematics = [ArmKinematics(arm) for arm in robot.arms]
        self._joints = self.advertise(JointState, "joint_states")
        self._executed = self.advertise(ExecutedAction, "control/executed")
        self._poses = [self.advertise(PoseStamped, f"ee_pose/{arm.name}") for arm in robot.arms]
        self._stamp = 0
        self._late = 0
        self._problem = ""
        self._states.publish(self._claim.sign(DriverState()))
        self._looks = 0
        self._begin = self.create_timer(LOOK, self._start)
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
            if self._started:
                ended = ArmStatus(ArmState.DISCONNECTED, "its driver ended")
                self._publish_health({arm.name: ended for arm in self._robot.arms}, ends=True)
                self._states.wait_for_all_acked(_LAST_WORD)

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

    def _start(self) -> None:
        self._looks += 1
        known = self.count_publishers(self._states.topic_name) > 1
        if self._looks < (LOOKS_AT_KNOWN if known else LOOKS):
            return
        self._begin.cancel()
        self._driver.start()
        self._started = True
        self.create_timer(_WATCH, self._watch)

    def _on_driver(self, message: DriverState) -> None:
        try:
            rival = self._claim.hear(message)
        except StateError:
            # The other driver's word on the arms counts from here on.
            self._started = False
            raise
        if rival and rival != self._rival:
            self._rival = rival
            self.get_logger().error(f"{rival} wants to drive the same arm; it has to end")

    def _watch(self) -> None:
        arms = self._driver.status().arms
        if arms != self._told:
            self._told = arms
            self._publish_health(arms)

    def _publish_health(self, arms: Mapping[str, ArmStatus], *, ends: bool = False) -> None:
        message = self._claim.sign(DriverState())
        message.header.stamp = to_stamp(self.now_ns())
        message.states = [getattr(DriverState, arm.state.name) for arm in arms.values()]
        message.reasons = [arm.reason for arm in arms.values()]
        if ends:
            message.driver = ""
        self._states.publish(message)

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
        if self._started:
            self._publish_health(status.arms)
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
