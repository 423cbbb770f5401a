# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/how-to run as they stand, against the real arbiter."""

import re
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from std_msgs.msg import Bool

from hiors_interfaces.msg import ExecutedAction, TeleopCommand
from hiors_ros import qos

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"


def example(name: str, folder: Path) -> Path:
    """Write the page's Python block to a file."""
    (block,) = re.findall(
        r"```python\n(.*?)```", (HOW_TO / name).read_text(encoding="utf-8"), re.DOTALL
    )
    path = folder / "example.py"
    path.write_text(block, encoding="utf-8")
    return path


def test_the_example_of_a_teleoperator_lifts_the_tool_and_holds(
    bench: Any, tmp_path: Path
) -> None:
    process = bench.run([sys.executable, str(example("add-a-teleoperator.md", tmp_path))])
    bench.spin_until(lambda: len(bench.teleop) > 20, "the example")
    publisher = bench.node.create_publisher(Bool, "pedal", 10)
    start, pressed, silent = bench.tool.copy(), False, False

    def driving() -> bool:
        return bench.is_authority("HUMAN")() and bench.teleop[-1].engaged

    def person() -> None:
        nonlocal pressed
        # Whoever is told that nobody serves the request, or sees the tool stay, presses again.
        if not silent:
            pressed = driving() or bench.commands % 60 < 40
            publisher.publish(Bool(data=pressed))

    bench.node.create_timer(0.02, person)
    bench.spin_until(driving, "the take-over")
    bench.spin_until(lambda: bench.tool[2] - start[2] > 0.03, "the lift")
    np.testing.assert_allclose(bench.tool[:2], start[:2], atol=0.005)
    silent = True
    bench.spin_until(lambda: not bench.teleop[-1].engaged, "the release after silence")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def test_the_example_of_a_robot_follows_the_arbiter_and_holds_without_it(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = make_bench([sys.executable, str(example("add-a-robot.md", tmp_path))])
    executed: list[ExecutedAction] = []
    bench.node.create_subscription(
        ExecutedAction, "control/executed", executed.append, qos.profile("control/executed")
    )
    goal = bench.robot.home[:6] + 0.2
    message = TeleopCommand(device="test", arm="left", mode=TeleopCommand.JOINT, engaged=True)
    message.names, message.position = list(bench.arm.joints), goal.tolist()
    teleop = bench.advertise(TeleopCommand, "teleop/command")

    def person() -> None:
        message.header.stamp = bench.node.get_clock().now().to_msg()
        teleop.publish(message)

    bench.node.create_timer(0.02, person)
    assert bench.request("TAKE_OVER").success
    bench.spin_until(lambda: np.allclose(bench.position[:6], goal, atol=0.01), "the goal")
    bench.spin_until(lambda: bool(executed), "executed actions")
    assert list(executed[-1].names) == list(bench.robot.names)
    driver = bench.processes[0]
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(timeout=30) == 0
