# SPDX-License-Identifier: Apache-2.0
"""What every jogging device is to the graph: a stream of teleop/command, requests, labels."""

import math
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState

from hiors_core.authority import Authority, Request
from hiors_core.clock import SteadyClock, to_s
from hiors_core.errors import InvalidValue
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlState, TeleopCommand
from hiors_interfaces.srv import LabelEpisode
from hiors_ros.conversions import to_array, to_pose, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode
from hiors_ros.person import Requests
from hiors_teleop.bindings import Action
from hiors_teleop.jog import Jog
from hiors_teleop.parameters import JogParameters

_FRESH = 0.3
_LABELS = {
    Action.SUCCESS: (LabelEpisode.Request.SUCCESS, "Success"),
    Action.FAILURE: (LabelEpisode.Request.FAILURE, "Failure"),
    Action.DISCARD: (LabelEpisode.Request.DISCARD, "Discard"),
    Action.UNDO: (LabelEpisode.Request.UNDO, "Undo label"),
}
_REQUESTS = {
    Action.TAKE_OVER: (Request.TAKE_OVER, "Take over"),
    Action.HAND_BACK: (Request.POLICY, "Hand back"),
    Action.HOLD: (Request.HOLD, "Hold"),
    Action.HOME: (Request.HOME, "Home"),
    Action.STOP: (Request.STOP, "Stop"),
    Action.RESUME: (Request.RESUME, "Resume"),
}
_PERSON = (Authority.HUMAN, Authority.HANDOVER)
_OPENINGS = {Action.OPEN: 1.0, Action.CLOSE: 0.0}


class DeviceNode(HiorsNode):
    """Base of the nodes: they call ``feed`` and ``act``; the rest is done here."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.jog_parameters = self.declare_all(JogParameters)

    def begin(self, device: str, silence: float) -> None:
        """Connect to the graph; call once, after the last parameter has been declared."""
        p = self.jog_parameters
        robot = load_robot(p.robot_file, p.arms or None)
        self._device, self._operator = device, p.operator_name
        self._arms = robot.arms
        self._driven = 0
        self._steady = SteadyClock()
        self._jog = Jog(p.jog(silence), self._steady)
        self._authority = Authority.HOLD
        self._human = False
        self._tools: dict[str, tuple[int, Any]] = {}
        self._openings: dict[str, float] = {}
        self._commands = self.advertise(TeleopCommand, "teleop/command")
        self.subscribe(ControlState, "control/state", self._on_control)
        self.subscribe(JointState, "joint_states", self._on_joints)
        for arm in robot.arms:
            self.subscribe(PoseStamped, f"ee_pose/{arm.name}", partial(self._on_tool, arm.name))
        self._requests = Requests(self, self.notice, self._steady, device)
        self.create_timer(1.0 / p.rate, self._tick)
        self.create_timer(1.0, self._report)

    @property
    def arm(self) -> str:
        """Name of the arm that the device drives now."""
        return self._arms[self._driven].name

    def close(self) -> None:
        """Let go: the arms hold."""
        if hasattr(self, "_jog"):
            self._jog.release("node ended")
            self._publish()

    def feed(self, *, held: bool, twist: Any) -> None:
        """Take the device's state: dead-man button and deflections (6,) of -1 .. 1."""
        if self._jog.input(held=held, twist=twist) and self._authority not in _PERSON:
            if not self.jog_parameters.take_over or self._authority is Authority.STOPPED:
                return
            self._requests.authority(Request.TAKE_OVER, self._operator, "Take over", self._let_go)

    def let_go(self, reason: str) -> None:
        """Open the clutch for a fault."""
        self._let_go(reason)

    def act(self, action: Action) -> None:
        """Carry out what a person pressed."""
        if action is Action.TOGGLE:
            action = Action.HAND_BACK if self._human else Action.TAKE_OVER
        if action in _LABELS:
            outcome, what = _LABELS[action]
            self._requests.label(outcome, self._operator, what)
        elif action in _REQUESTS:
            request, what = _REQUESTS[action]
            if action is not Action.TAKE_OVER:
                self._let_go(what.lower())
            self._requests.authority(request, self._operator, what)
        elif action in _OPENINGS:
            self._jog.grip(_OPENINGS[action])
        elif action is Action.GRIPPER:
            self._jog.grip(0.0 if self._is_open() else 1.0)
        elif action is Action.NEXT_ARM:
            self._next_arm()

    def notice(self, level: str, text: str) -> None:
        """Tell the person."""
        # One call site has one severity: rclpy raises on a second.
        if level == "info":
            self.get_logger().info(text)
        else:
            self.get_logger().warning(text)

    def _next_arm(self) -> None:
        self._let_go("changing arms")
        self._publish()
        self._driven = (self._driven + 1) % len(self._arms)
        self.notice("info", f"{self.arm} arm")

    def _is_open(self) -> bool:
        wished = self._jog.gripper
        opening = self._openings.get(self.arm, 1.0) if math.isnan(wished) else wished
        return opening > 0.5

    def _tick(self) -> None:
        seen = self._tools.get(self.arm)
        fresh = seen is not None and to_s(self._steady.now() - seen[0]) < _FRESH
        self._jog.step(seen[1] if seen and fresh else None)
        self._publish()
        self._requests.poll()

    def _publish(self) -> None:
        arm, jog = self._arms[self._driven], self._jog
        message = TeleopCommand(
            device=self._device,
            operator_name=self._operator,
            arm=arm.name,
            mode=TeleopCommand.RELATIVE_EE,
            engaged=jog.engaged,
            clutch=jog.clutch,
            pose=to_pose(jog.pose),
            gripper=jog.gripper,
        )
        message.header.stamp = to_stamp(self._steady.now())
        message.header.frame_id = arm.base_frame
        self._commands.publish(message)

    def _let_go(self, reason: str) -> None:
        self._jog.release(reason)

    def _on_control(self, message: ControlState) -> None:
        before, self._authority = self._authority, Authority(message.authority)
        if self._authority in _PERSON:
            self._human = True
            return
        if self._authority is not Authority.HOLD:
            self._human = False
        # A take-over of ours may still be on its way: only a change ends the motion.
        if before is not self._authority:
            self._let_go(f"authority is {self._authority.name}")

    def _on_joints(self, message: JointState) -> None:
        values = dict(zip(message.name, message.position, strict=False))
        for arm in self._arms:
            if arm.gripper in values:
                self._openings[arm.name] = float(np.clip(values[arm.gripper], 0.0, 1.0))

    def _on_tool(self, arm: str, message: PoseStamped) -> None:
        self._tools[arm] = (self._steady.now(), to_array(message.pose))

    def _report(self) -> None:
        jog = self._jog
        text = f"drives the {self.arm} arm" if jog.engaged else jog.reason
        self.diagnostics.set(self._device, Level.OK, text, arm=self.arm, clutch=jog.clutch)


def require_deadman(actions: Any, axes: Any) -> None:
    """Refuse axes without a dead-man button."""
    if axes and Action.DEADMAN not in actions:
        raise InvalidValue(
            "Parameter 'axes' drives the robot, but 'buttons' has no deadman=INDEX: without a"
            " dead-man button nothing drives."
        )
