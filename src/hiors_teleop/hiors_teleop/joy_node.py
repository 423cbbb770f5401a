# SPDX-License-Identifier: Apache-2.0
"""joy_node: whatever publishes sensor_msgs/Joy (gamepad, SpaceMouse, pedal) drives and labels."""

import sys
from typing import Any

import numpy as np
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Joy

from hiors_ros.diagnostics import Level
from hiors_ros.node import run_node
from hiors_teleop.bindings import Action, AxisBinding, read_axes, read_buttons
from hiors_teleop.device import DeviceNode, require_deadman
from hiors_teleop.parameters import JoyParameters


def deflections(axes: Any, bindings: tuple[AxisBinding, ...], deadzone: float) -> Any:
    """Return x y z rx ry rz (6,), -1 .. 1, with the dead zone taken out of each axis."""
    twist = np.zeros(6)
    for binding in bindings:
        value = axes[binding.source]
        size = max(abs(value) - deadzone, 0.0) / (1.0 - deadzone)
        # NaN stays NaN: the jog opens its clutch on it.
        twist[binding.target] += value if value != value else binding.sign * np.sign(value) * size
    return twist


class JoyNode(DeviceNode):
    """A device with axes and buttons."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("joy_teleop", **kwargs)
        p = self.declare_all(JoyParameters)
        self.finish_parameters()
        self._axes = read_axes("axes", p.axes)
        self._buttons = read_buttons("buttons", p.buttons)
        require_deadman(self._buttons.values(), self._axes)
        self._deadzone = p.deadzone
        self._needs = (
            1 + max((a.source for a in self._axes), default=-1),
            1 + max(self._buttons, default=-1),
        )
        self._down: frozenset[int] | None = None
        self.begin(p.device, p.silence)
        self.subscribe(Joy, p.topic, self._on_joy, profile=QoSProfile(depth=10))

    def _on_joy(self, message: Joy) -> None:
        axes, buttons = self._needs
        if len(message.axes) < axes or len(message.buttons) < buttons:
            text = (
                f"the device has {len(message.axes)} axes and {len(message.buttons)} buttons,"
                f" the parameters axes and buttons name {axes} and {buttons}"
            )
            self.diagnostics.set("joy", Level.ERROR, text)
            self.let_go(text)
            return
        self.diagnostics.set("joy", Level.OK, "heard")
        self._press(frozenset(i for i in self._buttons if message.buttons[i]))
        held = any(message.buttons[i] for i, a in self._buttons.items() if a is Action.DEADMAN)
        self.feed(held=held, twist=deflections(message.axes, self._axes, self._deadzone))

    def _press(self, down: frozenset[int]) -> None:
        """Act on the buttons that went down; those down from the beginning do not count."""
        before = down if self._down is None else self._down
        self._down = down
        for index in sorted(down - before):
            if self._buttons[index] is not Action.DEADMAN:
                self.act(self._buttons[index])


def main() -> int:
    """Run the node."""
    return run_node(JoyNode)


if __name__ == "__main__":
    sys.exit(main())
