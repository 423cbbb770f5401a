# SPDX-License-Identifier: Apache-2.0
"""Messages of the arbiter node to values and back, and its parameters against their table."""

import re
from array import array
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState

from hiors_control.arbiter_parameters import ArbiterParameters
from hiors_control.control_messages import (
    Feedback,
    RobotHealth,
    fill_command,
    to_chunk,
    to_teleop,
)
from hiors_core.arbiter import ArbiterSettings, Command
from hiors_core.authority import Authority
from hiors_core.errors import InvalidValue
from hiors_interfaces.msg import ActionChunk, ControlCommand, DriverState, TeleopCommand
from hiors_ros.conversions import to_stamp
from hiors_ros.parameters import describe


def joints(stamp: int, **positions: float) -> JointState:
    message = JointState(name=list(positions), position=list(positions.values()))
    message.header.stamp = to_stamp(stamp)
    return message


def test_the_readme_lists_every_parameter_with_its_default():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| [\w\[\]]+ \| ([^|]*) \|", text, re.MULTILINE))
    for info in describe(ArbiterParameters):
        assert info.name in rows
        if isinstance(info.default, int | float):
            assert float(rows[info.name]) == info.default, info.name


def test_the_health_of_both_arms_is_told_from_one_driver_or_two():
    health = RobotHealth()
    ready, fault = DriverState.READY, DriverState.FAULT
    both = DriverState(arms=["left", "right"], states=[ready, fault], reasons=["", "no feedback"])
    assert health.update(both) == "right arm in fault: no feedback"
    left = DriverState(arms=["left"], states=[DriverState.STARTING], reasons=["being enabled"])
    assert health.update(left) == (
        "left arm starting: being enabled; right arm in fault: no feedback"
    )
    both.states = [ready, DriverState.STOPPED]
    assert health.update(both) == ""
    looking = DriverState(arms=["left"])
    assert health.update(looking) == ""


def test_default_parameters_are_the_default_settings():
    assert ArbiterParameters(robot_file="x").settings() == ArbiterSettings()


def test_a_chunk_is_read_row_by_row():
    message = ActionChunk(
        names=["a", "b"], units=["rad", "1"], horizon=2, values=array("f", [1, 2, 3, 4])
    )
    np.testing.assert_array_equal(to_chunk(message).values, [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("horizon", [0, 1, 3, 2**31])
def test_values_that_do_not_fill_the_horizon_are_left_for_the_arbiter_to_refuse(horizon):
    message = ActionChunk(names=["a", "b"], horizon=horizon, values=array("f", [1, 2, 3, 4]))
    assert to_chunk(message).values.ndim == 1


def test_a_gripper_that_is_nan_is_left_as_it_is():
    assert to_teleop(TeleopCommand(gripper=float("nan"))).gripper is None
    assert to_teleop(TeleopCommand(gripper=0.5, mode=TeleopCommand.JOINT)).mode == "joint"
    assert to_teleop(TeleopCommand(mode=9)).mode == "9"


def test_a_command_is_written_whole():
    command = Command(
        stamp=1_500_000_000, tick=7, epoch=3, authority=Authority.HUMAN,
        position=np.array((0.5, 1.0)), limited=("a: changed",),
    )  # fmt: skip
    message = fill_command(ControlCommand(names=["a", "b"]), command)
    assert (message.header.stamp.sec, message.tick, message.authority) == (1, 7, 3)
    assert list(message.position) == [0.5, 1.0]
    assert message.limited == ["a: changed"]
    assert message.chunk_time == -1.0


def test_feedback_in_parts_is_as_old_as_its_oldest_part():
    feedback = Feedback(("a", "b", "c"))
    assert feedback.update(joints(10, c=3.0, a=1.0, other=9.0)) is None
    assert feedback.missing == ("b",)
    taken = feedback.update(joints(20, b=2.0))
    assert taken is not None
    np.testing.assert_array_equal(taken[0], (1.0, 2.0, 3.0))
    assert taken[1] == 10
    assert feedback.update(joints(30, other=1.0)) is None


def test_feedback_with_too_few_positions_is_refused():
    message = JointState(name=["a", "b"], position=[1.0])
    with pytest.raises(InvalidValue, match="1 positions for 2 names"):
        Feedback(("a", "b")).update(message)
