# SPDX-License-Identifier: Apache-2.0
"""Whoever takes over or hands back, from any pose, with any device: every step is a legal one."""

import numpy as np
import pytest
from arbiter_rig import ARM, DT, IDENTITY, KINEMATICS, ROBOT, Rig
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hiors_core.arbiter import Arbiter
from hiors_core.authority import Authority, Request
from hiors_core.geometry import rotvec_to_quat

LIMITS = ARM.limits
LOWER, UPPER = np.append(LIMITS.lower, 0.0), np.append(LIMITS.upper, 1.0)
SPEED = np.append(LIMITS.velocity, LIMITS.gripper_velocity)
RAMP = LIMITS.acceleration * DT


class Anywhere(Rig):
    """The robot begins at any pose instead of home."""

    def __init__(self, start: np.ndarray) -> None:
        super().__init__()
        self.arbiter = Arbiter(ROBOT)
        self.commands.clear()
        self.arbiter.on_feedback(start, self.clock.now())
        self.run(1)

    def assert_legal(self) -> None:
        """Every step within range, velocity and acceleration; never out of the workspace. Where
        the robot was found outside it goes no farther out, nor out again once it was inside.
        """
        path = np.stack([c.position for c in self.commands])
        assert (path >= LOWER - 1e-9).all()
        assert (path <= UPPER + 1e-9).all()
        speed = np.diff(path, axis=0) / DT
        assert (np.abs(speed) <= SPEED + 1e-6).all()
        assert (np.abs(np.diff(speed[:, :6], axis=0)) <= RAMP + 1e-6).all()
        points = np.array([KINEMATICS.position(q) for q in path[:, :6]])
        outside = np.maximum(LIMITS.workspace_lower - points, points - LIMITS.workspace_upper)
        outside = np.maximum(outside, 0.0)
        assert (outside <= outside[0] + 1e-6).all()
        inside = (outside <= 1e-6).all(axis=1)
        assert inside[inside.argmax() :].all() or not inside.any()


def hand(rig: Anywhere, rng: np.random.Generator, clutch: int) -> None:
    """A person's relative device for a third of a second, in wild swings."""
    way, turn = rng.normal(size=3) * 0.03, rng.normal(size=3) * 0.2
    for i in range(10):
        part = i / 3.0
        pose = np.concatenate((part * way, rotvec_to_quat(part * turn)))
        rig.hand(clutch=clutch, pose=pose, gripper=float(rng.random()))
        rig.run(1)


def leader(rig: Anywhere, rng: np.random.Generator, clutch: int) -> None:
    """A leader arm, some of the time too far away to be followed."""
    near = rig.arbiter.command[:6] + rng.uniform(-0.7, 0.7, 6)
    for _ in range(10):
        position = near + rng.normal(size=6) * 0.05
        rig.hand(mode="joint", names=ARM.joints, position=position, clutch=clutch)
        rig.run(1)


def policy(rig: Anywhere, rng: np.random.Generator, _: int) -> None:
    """A policy that wants to be elsewhere, with a chunk that begins elsewhere too."""
    rig.ask(Request.POLICY)
    goal = rng.uniform(LOWER, UPPER)
    start = rig.arbiter.command + rng.normal(size=7) * 0.3
    assert rig.send(rig.chunk(goal, start=np.clip(start, LOWER, UPPER))) is None
    rig.run(10)


def person(device):
    def drive(rig: Anywhere, rng: np.random.Generator, clutch: int) -> None:
        rig.ask(Request.TAKE_OVER)
        device(rig, rng, clutch)

    return drive


def home(rig: Anywhere, _: np.random.Generator, __: int) -> None:
    rig.ask(Request.HOME)
    rig.run(10)


def alarm(rig: Anywhere, *_: object) -> None:
    """The robot goes into alarm, and is enabled again after a while."""
    rig.arbiter.on_robot("left arm in fault: collision detected")
    rig.run(5)
    assert rig.arbiter.authority is Authority.HOLD
    rig.arbiter.on_robot("")


ACTS = {
    "hand": person(hand), "leader": person(leader), "policy": policy, "home": home, "alarm": alarm,
    "hold": lambda rig, *_: (rig.ask(Request.HOLD), rig.run(3)),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@example(seed=3645, acts=["policy", "policy", "policy"])
@example(seed=816, acts=["hand", "home", "leader", "hand"])
@given(
    seed=st.integers(0, 2**32 - 1),
    acts=st.lists(st.sampled_from(sorted(ACTS)), min_size=2, max_size=5),
)
def test_no_hand_over_steps_more_than_the_limiter_allows(seed: int, acts: list[str]) -> None:
    rng = np.random.default_rng(seed)
    rig = Anywhere(rng.uniform(LOWER, UPPER))
    for clutch, act in enumerate(acts):
        ACTS[act](rig, rng, clutch)
    rig.assert_legal()


@pytest.mark.parametrize("seed", range(8))
def test_a_stop_in_mid_motion_brakes_legally_and_latches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rig = Anywhere(rng.uniform(LOWER, UPPER))
    policy(rig, rng, 0)
    rig.ask(Request.STOP)
    for _ in range(12):
        rig.hand(pose=np.concatenate((rng.normal(size=3) * 0.05, IDENTITY[3:])))
        rig.run(1)
    resting = rig.arbiter.command
    assert rig.arbiter.at_rest
    rig.hand(clutch=2)
    np.testing.assert_array_equal(rig.run(10).position, resting)
    assert rig.arbiter.authority is Authority.STOPPED
    assert rig.ask(Request.RESUME).ok
    person(hand)(rig, rng, 3)
    rig.assert_legal()
