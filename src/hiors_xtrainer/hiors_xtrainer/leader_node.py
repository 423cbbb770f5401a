# SPDX-License-Identifier: Apache-2.0
"""leader_node: leader arms as teleoperation devices. Readings are published from the leaders' own
threads at once; buttons, services and the rest of ROS are the node's thread's.
"""

import sys
from collections import deque
from functools import partial
from typing import Any

import numpy as np
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from hiors_core.authority import Authority, Request
from hiors_core.clock import SteadyClock
from hiors_core.errors import HiorsError
from hiors_core.robot import Arm, load_robot
from hiors_interfaces.msg import ControlState, TeleopCommand
from hiors_ros.conversions import JointReader, doubles, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode, run_node
from hiors_ros.person import Requests
from hiors_ros.slow_services import SlowServices
from hiors_xtrainer.leader_buttons import Gesture
from hiors_xtrainer.leader_episodes import EpisodeButton
from hiors_xtrainer.leader_link import LeaderLink
from hiors_xtrainer.leader_parameters import (
    LeaderArmParameters,
    LeaderParameters,
    leader_mapping,
    leader_rules,
    leader_settings,
)
from hiors_xtrainer.leader_session import LeaderSession, LeaderState

_ALIGN_POLL = 0.05
_DRIVING = (Authority.HUMAN, Authority.HANDOVER)
_RELEASE = {"hold": Request.HOLD, "policy": Request.POLICY}


class LeaderNode(HiorsNode):
    """One or two leader arms."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("leader", hardware_id="xtrainer_leader", **kwargs)
        p = self.declare_all(LeaderParameters)
        robot = load_robot(p.robot_file, p.arms or None)
        parts = {a.name: self.declare_all(LeaderArmParameters, f"{a.name}.") for a in robot.arms}
        self.finish_parameters()
        self._p = p
        self._steady = SteadyClock()
        self._arms = {arm.name: arm for arm in robot.arms}
        self._followers = {arm.name: JointReader(arm.names) for arm in robot.arms}
        self._authority = Authority.HOLD
        self._granted = False
        self._gestures: deque[tuple[str, Gesture]] = deque(maxlen=32)
        self._links = {a.name: self._link(a, parts[a.name]) for a in robot.arms}
        self._teleop = self.advertise(TeleopCommand, "teleop/command")
        self.subscribe(JointState, "joint_states", self._on_joints)
        self.subscribe(ControlState, "control/state", self._on_control)
        self._requests = Requests(self, self._notice, self._steady, "leader")
        self._episodes = EpisodeButton(self, self._requests, self._notice, p.task)
        self._slow = SlowServices(self)
        for name in self._arms:
            where = f"leader/{name}"
            self._slow.serve(Trigger, f"{where}/align", partial(self._on_align, name))
            self.create_service(Trigger, f"{where}/follow", partial(self._on_follow, name))
            self.create_service(Trigger, f"{where}/release", partial(self._on_release, name))
        self.create_timer(0.05, self._act)
        self.create_timer(1.0, self._report)
        for link in self._links.values():
            link.start()

    def close(self) -> None:
        """Let the leaders go limp; the robot holds."""
        for link in self._links.values():
            with link.session() as session:
                session.release("leader_node ended")
            self._publish(link)
            link.close()
        self._slow.close()

    def _link(self, arm: Arm, p: LeaderArmParameters) -> LeaderLink:
        mapping = leader_mapping(arm, p, self._p.calibration_file)
        return LeaderLink(
            arm.name,
            leader_settings(arm, p),
            LeaderSession(arm, mapping, leader_rules(self._p), self._steady),
            self._steady,
            rate=self._p.rate,
            patience=self._p.patience,
            on_reading=self._publish,
            on_gesture=lambda link, gesture: self._gestures.append((link.name, gesture)),
        )

    def _publish(self, link: LeaderLink) -> None:
        """Publish what the leader asks for; called from its thread."""
        with link.session() as session:
            command = session.command()
        if command is None:
            return
        arm = self._arms[link.name]
        message = TeleopCommand(
            device="leader",
            operator_name=self._p.operator_name,
            arm=arm.name,
            mode=TeleopCommand.JOINT,
            engaged=command.engaged,
            clutch=command.clutch,
            names=list(arm.joints),
            position=doubles(command.position),
            gripper=command.gripper,
        )
        message.header.stamp = to_stamp(self._steady.now())
        message.header.frame_id = arm.base_frame
        self._teleop.publish(message)

    def _on_joints(self, message: JointState) -> None:
        for name, reader in self._followers.items():
            if not reader.names_in(message):
                continue
            reader.update(message)
            if reader.complete:
                with self._links[name].session() as session:
                    session.on_follower(
                        reader.position[:-1].copy(), float(np.clip(reader.position[-1], 0, 1))
                    )

    def _on_control(self, message: ControlState) -> None:
        self._authority = Authority(message.authority)
        if self._authority in _DRIVING:
            self._granted = True
        elif self._granted or self._authority is Authority.STOPPED:
            self._granted = False
            self._release_all(f"authority is {self._authority.name}")

    def _release_all(self, reason: str) -> None:
        for link in self._links.values():
            with link.session() as session:
                session.release(reason)

    def _act(self) -> None:
        while self._gestures:
            self._gesture(*self._gestures.popleft())
        self._requests.poll()

    def _gesture(self, name: str, gesture: Gesture) -> None:
        try:
            if gesture is Gesture.FOLLOW:
                self._notice("info", self._toggle(name))
            elif gesture is Gesture.LOCK:
                with self._links[name].session() as session:
                    held = session.toggle_lock()
                self._notice("info", f"{name} leader is {'held' if held else 'free'}")
            else:
                self._episodes.press(gesture, self._p.operator_name)
        except HiorsError as error:
            self._notice("error", str(error))

    def _toggle(self, name: str) -> str:
        return self._end(name) if self._following(name) else self._begin(name)

    def _begin(self, name: str) -> str:
        with self._links[name].session() as session:
            if session.following:
                return f"{name}: the robot already follows"
            session.follow()
        if self._authority not in _DRIVING:
            self._requests.authority(
                Request.TAKE_OVER,
                self._p.operator_name,
                f"{name} leader",
                refused=lambda why: self._release_all(f"not granted: {why}"),
            )
        else:
            self._granted = True
        return f"{name}: the robot comes to the leader, then follows"

    def _end(self, name: str) -> str:
        if not self._following(name) and not self._granted:
            return f"{name}: the robot did not follow"
        with self._links[name].session() as session:
            session.release("ended by the person")
        if any(self._following(other) for other in self._links):
            return f"{name}: the robot holds this arm"
        self._granted = False
        request = _RELEASE.get(self._p.release_to)
        # HOLD is 0.
        if request is not None:
            self._requests.authority(request, self._p.operator_name, f"{name} leader let go")
        return f"{name}: the robot does not follow any more"

    def _following(self, name: str) -> bool:
        with self._links[name].session() as session:
            return session.following

    def _on_follow(self, name: str, _: Any, response: Trigger.Response) -> Trigger.Response:
        return self._answer(response, partial(self._begin, name))

    def _on_release(self, name: str, _: Any, response: Trigger.Response) -> Trigger.Response:
        return self._answer(response, partial(self._end, name))

    def _on_align(self, name: str, _: Any, response: Trigger.Response) -> Trigger.Response:
        return self._answer(response, partial(self._align, name))

    def _answer(self, response: Trigger.Response, action: Any) -> Trigger.Response:
        try:
            response.message = action()
            response.success = True
        except HiorsError as error:
            response.success, response.message = False, str(error)
        return response

    def _align(self, name: str) -> str:
        """Drive the leader to the robot and wait until it is there (services' thread)."""
        link = self._links[name]
        with link.session() as session:
            session.align()
        while True:
            self._steady.sleep_until(self._steady.now() + round(_ALIGN_POLL * 1e9))
            with link.session() as session:
                if session.aligning:
                    continue
                if session.reason:
                    raise HiorsError(session.reason)
            return f"{name} leader is where the robot is"

    def _notice(self, level: str, text: str) -> None:
        # One call site has one severity: rclpy raises on a second.
        if level == "info":
            self.get_logger().info(text)
        else:
            self.get_logger().warning(text)

    def _report(self) -> None:
        for name, link in self._links.items():
            with link.session() as session:
                state, reason = session.state, session.reason
            bad = state in (LeaderState.LOST, LeaderState.UNCALIBRATED)
            level = Level.ERROR if bad else Level.WARN if link.hint else Level.OK
            self.diagnostics.set(
                f"leader {name}",
                level,
                "; ".join(text for text in (reason or state.value, link.hint) if text),
                state=state.value,
                readings=link.readings,
                misses=link.misses,
            )


def main() -> int:
    """Run the node."""
    return run_node(LeaderNode)


if __name__ == "__main__":
    sys.exit(main())
