# SPDX-License-Identifier: Apache-2.0
"""ROS node around XTrainerDriver: control/command in; state and executed actions out."""

import sys
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock
from hiors_core.command import Command
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlCommand, EpisodeStatus, ExecutedAction
from hiors_ros.conversions import doubles, to_ns, to_pose, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode, run_node
from hiors_ros.slow_services import SlowServices
from hiors_xtrainer.arm import ArmState
from hiors_xtrainer.driver import XTrainerDriver
from hiors_xtrainer.light import StackLight, lamps
from hiors_xtrainer.parameters import (
    ArmParameters,
    DriverParameters,
    driver_settings,
    light_settings,
)

_LIGHT_PERIOD = 0.2


class DriverNode(HiorsNode):
    """Drives one or two arms of an X-Trainer."""

    def __init__(self) -> None:
        super().__init__("driver", hardware_id="xtrainer")
        p = self.declare_all(DriverParameters)
        self._robot = load_robot(p.robot_file, p.arms or None)
        arms = {
            arm.name: self.declare_all(ArmParameters, prefix=f"{arm.name}.")
            for arm in self._robot.arms
        }
        self.finish_parameters()
        self._names = list(self._robot.names)
        self._kinematics = [ArmKinematics(arm) for arm in self._robot.arms]
        self._driver = XTrainerDriver(
            self._robot, driver_settings(p, arms), SteadyClock(), self._publish_executed
        )
        self._recording = ""
        light = light_settings(p, [arm.name for arm in self._robot.arms])
        self._light: StackLight | None = None
        if light is not None:
            self._light = StackLight(light, partial(self._driver.output, light.arm))
            self._light_arm = light.arm
            self.subscribe(EpisodeStatus, "episode/status", self._on_episode)
            self.create_timer(_LIGHT_PERIOD, self._show_light)
        self._joints = self.advertise(JointState, "joint_states")
        self._executed = self.advertise(ExecutedAction, "control/executed")
        self._poses = [
            self.advertise(PoseStamped, f"ee_pose/{arm.name}") for arm in self._robot.arms
        ]
        self.subscribe(ControlCommand, "control/command", self._on_command)
        self._slow = SlowServices(self)
        self._slow.serve(Trigger, "driver/enable", _handler(self._driver.enable))
        self._slow.serve(Trigger, "driver/clear_error", _handler(self._driver.clear_error))
        self._stamp = 0
        self._late = 0
        self._driver.start()
        self.create_timer(1.0 / p.state_rate, self._publish_state)
        self.create_timer(1.0, self._report)

    def close(self) -> None:
        """Stop streaming; the arms hold their position."""
        self._driver.close()
        self._slow.close()

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

    def _publish_executed(self, command: Command) -> None:
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

    def _on_episode(self, message: EpisodeStatus) -> None:
        if message.state == EpisodeStatus.RECORDING:
            self._recording = message.episode_id
        elif message.episode_id == self._recording:
            self._recording = ""

    def _show_light(self) -> None:
        if self._light is None:
            return
        status = self._driver.status()
        if status.arms[self._light_arm].state in (ArmState.STARTING, ArmState.DISCONNECTED):
            self._light.forget()
            return
        self._light.show(lamps(status, bool(self._recording)))
        problem = self._light.problem
        level = Level.WARN if problem else Level.OK
        self.diagnostics.set("stack light", level, problem or "shows the state")

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


def main() -> int:
    """Run the node."""
    return run_node(DriverNode, realtime=True)


if __name__ == "__main__":
    sys.exit(main())
