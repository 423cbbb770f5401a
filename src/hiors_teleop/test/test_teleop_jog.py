# SPDX-License-Identifier: Apache-2.0
"""Jogging without ROS: dead-man button, silence, leash; bindings; keys of a terminal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiors_core.clock import FakeClock
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.geometry import quat_to_rotvec, rotvec_to_quat
from hiors_teleop.bindings import Action, AxisBinding, read_axes, read_buttons, read_keys
from hiors_teleop.jog import Jog, JogSettings

FORWARD = np.array([1.0, 0, 0, 0, 0, 0])
STILL = np.zeros(6)
DT = 0.02


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(10**9)


@pytest.fixture
def jog(clock: FakeClock) -> Jog:
    jog = Jog(JogSettings(), clock)
    jog.input(held=False, twist=STILL)
    return jog


def drive(jog: Jog, clock: FakeClock, seconds: float, twist: np.ndarray = FORWARD) -> None:
    for _ in range(round(seconds / DT)):
        jog.input(held=True, twist=twist)
        clock.advance(DT)
        jog.step(None)


def test_it_moves_at_the_set_speed_while_the_button_is_held(jog: Jog, clock: FakeClock) -> None:
    drive(jog, clock, 1.0)
    np.testing.assert_allclose(jog.pose, [0.1, 0, 0, 0, 0, 0, 1], atol=1e-9)
    drive(jog, clock, 1.0, np.array([0, 0, 0, 0, 0, -1.0]))
    np.testing.assert_allclose(quat_to_rotvec(jog.pose[3:]), [0, 0, -0.5], atol=1e-9)


def test_without_the_button_nothing_moves(jog: Jog, clock: FakeClock) -> None:
    jog.input(held=False, twist=FORWARD)
    clock.advance(1.0)
    jog.step(None)
    assert not jog.engaged
    np.testing.assert_array_equal(jog.pose[:3], 0.0)


def test_letting_go_opens_and_pressing_again_is_a_new_clutch(jog: Jog, clock: FakeClock) -> None:
    drive(jog, clock, 0.5)
    jog.input(held=False, twist=FORWARD)
    assert not jog.engaged
    assert jog.reason == "dead-man button let go"
    assert jog.input(held=True, twist=STILL)
    assert jog.clutch == 2
    np.testing.assert_array_equal(jog.pose[:3], 0.0)


def test_silence_opens_and_the_held_button_must_be_let_go_first(
    jog: Jog, clock: FakeClock
) -> None:
    drive(jog, clock, 0.5)
    clock.advance(0.3)
    jog.step(None)
    assert not jog.engaged
    assert "silent for 0.32 s" in jog.reason
    assert not jog.input(held=True, twist=FORWARD)
    jog.input(held=False, twist=STILL)
    assert jog.input(held=True, twist=STILL)


def test_a_button_held_from_the_beginning_does_not_count(clock: FakeClock) -> None:
    jog = Jog(JogSettings(), clock)
    assert not jog.input(held=True, twist=FORWARD)


def test_a_deflection_that_is_no_number_opens(jog: Jog, clock: FakeClock) -> None:
    drive(jog, clock, 0.1)
    jog.input(held=True, twist=np.full(6, np.nan))
    assert not jog.engaged


def test_a_node_that_was_held_up_does_not_leap(jog: Jog, clock: FakeClock) -> None:
    drive(jog, clock, 0.1)
    before = jog.pose[0]
    clock.advance(0.2)
    jog.input(held=True, twist=FORWARD)
    jog.step(None)
    assert jog.pose[0] - before <= 0.1 * 0.1 + 1e-9


@given(st.lists(st.lists(st.floats(-1, 1), min_size=6, max_size=6), min_size=1, max_size=60))
def test_the_wish_stays_near_a_tool_that_does_not_move(twists: list[list[float]]) -> None:
    clock = FakeClock(10**9)
    settings = JogSettings(linear_speed=0.5, angular_speed=2.0)
    jog = Jog(settings, clock)
    jog.input(held=False, twist=STILL)
    tool = np.array([0.1, -0.4, 0.3, *rotvec_to_quat(np.array([0.3, 0.2, -1.0]))])
    for twist in twists:
        jog.input(held=True, twist=np.array(twist))
        clock.advance(0.1)
        jog.step(tool)
        assert np.linalg.norm(jog.pose[:3]) <= settings.leash + 1e-9
        assert np.linalg.norm(quat_to_rotvec(jog.pose[3:])) <= settings.angular_leash + 1e-6


def test_the_gripper_is_left_alone_until_asked(jog: Jog, clock: FakeClock) -> None:
    jog.grip(0.0)
    drive(jog, clock, 0.1)
    assert np.isnan(jog.gripper)
    jog.grip(0.0)
    assert jog.gripper == 0.0
    jog.input(held=False, twist=STILL)
    assert np.isnan(jog.gripper)


def test_bindings_are_read() -> None:
    assert read_buttons("buttons", ["deadman=4", "success=0"]) == {
        4: Action.DEADMAN,
        0: Action.SUCCESS,
    }
    assert read_axes("axes", ["x=+1", "rz=-3"]) == (AxisBinding(0, 1, 1), AxisBinding(5, 3, -1))
    assert read_keys("keys", ["stop=space"]) == {"space": Action.STOP}


@pytest.mark.parametrize(
    ("read", "items", "error", "message"),
    [
        (read_buttons, ["sucess=0"], UnknownName, "Did you mean 'success'"),
        (read_buttons, ["success"], InvalidValue, "must be written name=value"),
        (read_buttons, ["success=-1"], InvalidValue, "whole number from 0, got '-1'"),
        (read_buttons, ["stop=1", "home=1"], InvalidValue, "button 1 is both stop and home"),
        (read_axes, ["w=+1"], UnknownName, "rx, ry, rz, x, y, z"),
        (read_axes, ["x=1"], InvalidValue, "needs a sign"),
        (read_keys, ["stop=q", "home=q"], InvalidValue, "key 'q' is both stop and home"),
    ],
)
def test_bindings_that_make_no_sense_are_refused(read, items, error, message: str) -> None:
    with pytest.raises(error, match=message):
        read("parameter", items)


def test_keys_of_a_terminal() -> None:
    from hiors_teleop.terminal import read_keys as keys

    assert keys(b"w \r\x7f\t\x1b[A\x1bX\xc3\xa4\x00") == [
        "w", "space", "enter", "backspace", "tab", "up", "escape", "X",
    ]  # fmt: skip
