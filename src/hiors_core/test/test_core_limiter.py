# SPDX-License-Identifier: Apache-2.0
"""The limiter: whatever is wished, the step is legal and so is the next one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiors_core.errors import InvalidValue
from hiors_core.kinematics import ArmKinematics
from hiors_core.limiter import Limited, limit
from hiors_core.robot import load_robot

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/xtrainer.yaml", ["left"])
ARM = ROBOT.arms[0]
LIMITS = ARM.limits
DT = 1.0 / ROBOT.control_rate_hz
KINEMATICS = ArmKinematics(ARM)
REST = np.zeros(7)
LOWER, UPPER = np.append(LIMITS.lower, 0.0), np.append(LIMITS.upper, 1.0)
SPEED = np.append(LIMITS.velocity, LIMITS.gripper_velocity)


def wide(robot=ROBOT):
    """The robot without walls, for what concerns joints alone."""
    arm = robot.arms[0]
    far = dataclasses.replace(
        arm.limits, workspace_lower=np.full(3, -9.0), workspace_upper=np.full(3, 9.0)
    )
    return dataclasses.replace(robot, arms=(dataclasses.replace(arm, limits=far),))


WIDE = wide()


def assert_legal(step: Limited, previous: np.ndarray, before: np.ndarray) -> None:
    assert np.all(step.position >= LOWER)
    assert np.all(step.position <= UPPER)
    assert np.all(np.abs(step.velocity) <= SPEED + 1e-9)
    change = np.abs(step.velocity[:6] - before[:6])
    assert np.all(change <= LIMITS.acceleration * DT + 1e-6), change
    np.testing.assert_allclose(step.position, previous + DT * step.velocity, atol=1e-12)


def outside(position: np.ndarray) -> float:
    point = KINEMATICS.position(position[:6])
    return max(0.0, *(LIMITS.workspace_lower - point), *(point - LIMITS.workspace_upper))


def walk(robot, rng, steps, scale, *, shaped):
    """Random wishes from home on, each held for some ticks; yields (step, previous, before)."""
    previous, before, target = ROBOT.home, REST, ROBOT.home
    for i in range(steps):
        if i % 7 == 0:
            target = ROBOT.home + rng.normal(size=7) * scale
        step = limit(target, previous, before, robot, DT, target_velocity=REST if shaped else None)
        yield step, previous, before
        previous, before = step.position, step.velocity


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("shaped", [False, True])
def test_a_hundred_thousand_wild_wishes_make_no_illegal_step(shaped):
    rng, previous, before = np.random.default_rng(11), ROBOT.home, REST
    steps = np.empty((50_000, 2, 7))
    for i in range(len(steps)):
        if i % 5 == 0:
            target = rng.uniform(1.2 * LOWER - 0.1, 1.2 * UPPER + 0.1)
        step = limit(target, previous, before, ROBOT, DT, target_velocity=REST if shaped else None)
        previous, before = step.position, step.velocity
        steps[i] = previous, before
    position, velocity = steps[:, 0], steps[:, 1]
    ramps = np.abs(np.diff(velocity, axis=0, prepend=REST[None]))[:, :6]
    illegal = (
        ((position < LOWER) | (position > UPPER)).any(axis=1)
        | (np.abs(velocity) > SPEED + 1e-9).any(axis=1)
        | (ramps > LIMITS.acceleration * DT + 1e-6).any(axis=1)
        | np.array([outside(q) > 1e-6 for q in position])
    )
    assert np.count_nonzero(illegal) == 0
    assert np.count_nonzero(np.abs(velocity) > 0.9 * SPEED) > 1000, "the wishes were wild"


@pytest.mark.parametrize("shaped", [False, True])
def test_wild_wishes_never_carry_the_tool_out_of_its_workspace(shaped):
    rng, touched = np.random.default_rng(12), 0
    for step, previous, before in walk(ROBOT, rng, 2_000, 0.8, shaped=shaped):
        assert_legal(step, previous, before)
        assert outside(step.position) < 1e-6
        touched += any("workspace" in change for change in step.changes)
    assert touched > 30


vectors = st.lists(st.floats(-7.0, 7.0), min_size=7, max_size=7).map(np.array)


@settings(max_examples=150, deadline=None)
@given(wishes=st.lists(vectors, min_size=1, max_size=12), shaped=st.booleans())
def test_any_sequence_of_wishes_is_made_legal(wishes, shaped):
    previous, before = ROBOT.home, REST
    for target in wishes:
        step = limit(target, previous, before, ROBOT, DT, target_velocity=REST if shaped else None)
        assert_legal(step, previous, before)
        assert outside(step.position) < 1e-6
        previous, before = step.position, step.velocity


@settings(max_examples=150, deadline=None)
@given(target=vectors)
def test_limiting_twice_is_limiting_once(target):
    once = limit(target, ROBOT.home, REST, ROBOT, DT)
    twice = limit(once.position, ROBOT.home, REST, ROBOT, DT)
    np.testing.assert_allclose(twice.position, once.position, atol=1e-9)
    assert twice.changes == ()


@settings(max_examples=100, deadline=None)
@given(joint=st.integers(0, 5), low=st.floats(-3.0, 3.0), more=st.floats(0.0, 3.0))
def test_a_higher_wish_never_leads_lower(joint, low, more):
    results = []
    for wish in (low, low + more):
        target = ROBOT.home
        target[joint] = wish
        results.append(limit(target, ROBOT.home, REST, WIDE, DT).position[joint])
    assert results[0] <= results[1]


def test_a_legal_wish_passes_untouched():
    target = ROBOT.home + 0.01
    target[6] = 0.9
    step = limit(target, ROBOT.home, REST, ROBOT, DT)
    np.testing.assert_array_equal(step.position, target)
    assert step.changes == ()


@pytest.mark.parametrize(
    ("column", "wish", "cause"),
    [(1, 9.0, "range"), (1, 1.0, "velocity"), (1, 0.05, "acceleration"), (6, 0.0, "velocity")],
)
def test_each_change_names_its_column_and_its_cause(column, wish, cause):
    target = ROBOT.home
    target[column] = wish
    (change,) = limit(target, ROBOT.home, REST, WIDE, DT).changes
    assert change.startswith(ROBOT.names[column])
    assert cause in change


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_wish_that_is_no_number_is_refused_by_name(bad):
    target = ROBOT.home
    target[3] = bad
    with pytest.raises(InvalidValue, match="left_joint4"):
        limit(target, ROBOT.home, REST, ROBOT, DT)


def test_a_wish_with_other_columns_is_refused():
    with pytest.raises(InvalidValue, match="7 columns"):
        limit(np.zeros(6), ROBOT.home, REST, ROBOT, DT)


@pytest.mark.parametrize("distance", [0.003, 0.05, 0.3, 2.0])
def test_a_standing_wish_is_reached_without_overshoot(distance):
    goal = ROBOT.home
    goal[0] += distance
    previous, before, path = ROBOT.home, REST, []
    for _ in range(60):
        step = limit(goal, previous, before, WIDE, DT, target_velocity=REST)
        previous, before = step.position, step.velocity
        path.append(step.position[0])
    assert np.all(np.diff(path) >= -1e-9)
    assert max(path) <= goal[0] + 1e-9
    assert path[-1] == pytest.approx(goal[0], abs=1e-6)


def test_a_moving_wish_is_followed_exactly_once_caught():
    speed, previous, before = np.array([1.0, 0, 0, 0, 0, 0, 0]), ROBOT.home, REST
    for i in range(1, 40):
        target = ROBOT.home + speed * DT * i
        step = limit(target, previous, before, WIDE, DT, target_velocity=speed)
        previous, before = step.position, step.velocity
    np.testing.assert_allclose(previous, target, atol=1e-9)
    assert step.changes == ()


def test_a_robot_found_outside_its_range_may_only_come_back():
    start = ROBOT.home
    start[2] = LIMITS.lower[2] - 0.1
    deeper = start.copy()
    deeper[2] -= 0.2
    assert limit(deeper, start, REST, WIDE, DT).position[2] >= start[2]
    previous, before = start, REST
    for _ in range(40):
        step = limit(ROBOT.home, previous, before, WIDE, DT, target_velocity=REST)
        assert step.position[2] >= previous[2] - 1e-12
        previous, before = step.position, step.velocity
    assert previous[2] > LIMITS.lower[2]


def test_a_tool_found_outside_its_workspace_may_only_come_back():
    wall = dataclasses.replace(LIMITS, workspace_lower=np.array((-0.45, -0.75, 0.30)))
    robot = dataclasses.replace(ROBOT, arms=(dataclasses.replace(ARM, limits=wall),))
    up = KINEMATICS.forward(ARM.home)
    up[2] += 0.12
    raised = np.append(KINEMATICS.inverse(up, ARM.home, 60).q, 1.0)
    down = up.copy()
    down[2] -= 0.2
    lowered = np.append(KINEMATICS.inverse(down, ARM.home, 60).q, 1.0)
    stay = limit(lowered, ROBOT.home, REST, robot, DT)
    np.testing.assert_allclose(stay.position[:6], ARM.home, atol=1e-3)
    previous, before = ROBOT.home, REST
    for _ in range(60):
        step = limit(raised, previous, before, robot, DT, target_velocity=REST)
        previous, before = step.position, step.velocity
    np.testing.assert_allclose(previous, raised, atol=1e-3)
