# SPDX-License-Identifier: Apache-2.0
"""joy_node and keyboard_node as processes, driving a robot through the real arbiter."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")

from refusal import refusal
from sensor_msgs.msg import Joy

from hiors_interfaces.srv import LabelEpisode
from hiors_ros.parameters import describe
from hiors_teleop.bindings import Action, read_axes, read_buttons
from hiors_teleop.joy_node import JoyNode, deflections
from hiors_teleop.parameters import JogParameters, JoyParameters

PRESETS = sorted((Path(__file__).parents[3] / "config" / "teleop").glob("*.yaml"))
DEADMAN, SUCCESS, STOP, GRIPPER = 4, 0, 6, 5


class Gamepad:
    """Publishes Joy at 50 Hz from the bench's node; a person's thumbs are its attributes."""

    def __init__(self, bench: Any) -> None:
        self.axes, self.buttons = [0.0] * 8, [0] * 11
        self.silent = False
        self._node = bench.node
        self._publisher = bench.node.create_publisher(Joy, "joy", 10)
        bench.node.create_timer(0.02, self._publish)

    def take_over(self, bench: Any) -> None:
        """Press the dead-man button, and again when nobody served the request yet."""
        pressed = -100

        def taken() -> bool:
            nonlocal pressed
            if bench.is_authority("HUMAN")():
                return True
            if bench.commands - pressed > 60:
                pressed = bench.commands
                self.buttons[DEADMAN] ^= 1
            return False

        bench.spin_until(taken, "the take-over")
        assert self.buttons[DEADMAN]

    def _publish(self) -> None:
        if self.silent:
            return
        message = Joy(axes=self.axes, buttons=self.buttons)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def joy_parameters(robot_file: Path, **other: object) -> dict[str, object]:
    preset = yaml.safe_load((PRESETS[0].parent / "gamepad.yaml").read_text())
    values = {k: str(v).replace("'", '"') if isinstance(v, list) else v for k, v in preset.items()}
    patient = {"silence": 0.5, "robot_file": robot_file, "arms": "[left]", "operator_name": "ada"}
    return values | patient | other


def test_a_gamepad_takes_over_drives_labels_and_stops(bench: Any, robot_file: Path) -> None:
    pad = Gamepad(bench)
    process = bench.start("hiors_teleop.joy_node", **joy_parameters(robot_file))
    bench.spin_until(lambda: len(bench.teleop) > 20, "the node")
    start = bench.tool.copy()

    pad.axes[1] = 1.0
    bench.hear(20, "commands")
    np.testing.assert_allclose(bench.tool, start, atol=1e-9)

    pad.take_over(bench)
    bench.spin_until(lambda: bench.tool[0] - start[0] > 0.05, "motion along x")
    np.testing.assert_allclose(bench.tool[1:3], start[1:3], atol=0.005)
    pad.buttons[GRIPPER] = 1
    bench.spin_until(lambda: bench.position[6] < 0.05, "the gripper")
    pad.buttons[GRIPPER] = 0

    pad.silent = True
    bench.spin_until(lambda: not bench.teleop[-1].engaged, "the release after silence")
    pad.silent = False
    bench.hear(20, "commands again")
    assert not bench.teleop[-1].engaged, "the held button must be let go first"
    pad.buttons[DEADMAN] = 0
    bench.hear(20, "the release")
    pad.buttons[DEADMAN] = 1
    bench.spin_until(lambda: bench.teleop[-1].engaged, "the clutch")

    pad.buttons[SUCCESS] = 1
    bench.spin_until(lambda: bool(bench.labels), "the label")
    assert bench.labels == [(LabelEpisode.Request.SUCCESS, "ada", "gamepad")]
    pad.buttons[STOP] = 1
    bench.spin_until(bench.is_authority("STOPPED"), "the stop")
    bench.spin_until(lambda: not bench.teleop[-1].engaged, "the release")
    limit = bench.arm.limits.velocity.max() / bench.robot.control_rate_hz
    assert bench.largest <= limit + 1e-6
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def test_a_smaller_device_than_the_parameters_say_drives_nothing(
    bench: Any, robot_file: Path
) -> None:
    pad = Gamepad(bench)
    pad.axes, pad.buttons = [1.0, 1.0], [1] * 5
    bench.start("hiors_teleop.joy_node", **joy_parameters(robot_file))
    bench.spin_until(lambda: len(bench.teleop) > 60, "the node")
    assert not any(message.engaged for message in bench.teleop)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"buttons": '["success=0"]'}, "no deadman=INDEX"),
        ({"buttons": '["sucess=0"]'}, "Did you mean 'success'"),
        ({"arms": "[middle]"}, "Unknown arm 'middle'"),
        ({"deadzon": 0.2}, "Did you mean 'deadzone'"),
    ],
)
def test_wrong_joy_parameters_are_refused(robot_file: Path, wrong: dict, message: str) -> None:
    assert message in refusal(JoyNode, **joy_parameters(robot_file, **wrong))


@pytest.mark.slow
def test_keys_in_a_terminal_drive_and_label(bench: Any, robot_file: Path) -> None:
    master, slave = os.openpty()
    words = [sys.executable, "-m", "hiors_teleop.keyboard_node", "--ros-args"]
    for name, value in (("robot_file", robot_file), ("arms", "[left]"), ("silence", 1.5)):
        words += ["-p", f"{name}:={value}"]
    process = bench.run(words, stdin=slave)
    bench.spin_until(lambda: len(bench.teleop) > 20, "the node")
    start = bench.tool.copy()
    asking = bench.node.create_timer(1.0, lambda: os.write(master, b"t"))
    bench.spin_until(bench.is_authority("HUMAN"), "the take-over")
    asking.cancel()
    timer = bench.node.create_timer(0.05, lambda: os.write(master, b"w"))
    bench.spin_until(lambda: bench.tool[0] - start[0] > 0.03, "motion along x")
    timer.cancel()
    bench.spin_until(lambda: not bench.teleop[-1].engaged, "the release without keys")
    there = bench.tool.copy()
    bench.hear(30, "commands")
    np.testing.assert_allclose(bench.tool, there, atol=1e-9)
    os.write(master, b"\r")
    bench.spin_until(lambda: bool(bench.labels), "the label")
    assert bench.labels[0][0] == LabelEpisode.Request.SUCCESS
    os.write(master, b" ")
    bench.spin_until(bench.is_authority("STOPPED"), "the stop")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    for descriptor in (master, slave):
        os.close(descriptor)


def test_a_keyboard_without_a_terminal_is_refused(robot_file: Path) -> None:
    words = [sys.executable, "-m", "hiors_teleop.keyboard_node", "--ros-args"]
    words += ["-p", f"robot_file:={robot_file}"]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr


@pytest.mark.parametrize("path", PRESETS, ids=lambda p: p.stem)
def test_presets_name_parameters_that_exist(path: Path) -> None:
    preset = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {info.name for cls in (JogParameters, JoyParameters) for info in describe(cls)}
    assert set(preset) <= known
    axes = read_axes("axes", preset.get("axes", ()))
    buttons = read_buttons("buttons", preset["buttons"])
    assert not axes or Action.DEADMAN in buttons.values()


def test_the_dead_zone_is_taken_out_of_each_axis() -> None:
    axes = read_axes("axes", ["x=+1", "z=-0"])
    twist = deflections([0.55, 0.05], axes, 0.1)
    np.testing.assert_allclose(twist, [0, 0, -0.5, 0, 0, 0])
    assert np.isnan(deflections([np.nan, 0.0], axes, 0.1)[2])
