# SPDX-License-Identifier: Apache-2.0
"""One arm's clutch: no jump when it closes, no motion when it is open or lost."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hiors_core.clock import to_ns
from hiors_core.errors import InvalidValue
from hiors_core.geometry import quat_to_rotvec, rotvec_to_quat
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_core.teleop import ArmTeleop, Phase, Teleop, TeleopRules

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/xtrainer.yaml", ["left"])
ARM = ROBOT.arms[0]
KINEMATICS = ArmKinematics(ARM)
DT = 1.0 / 30.0
T0 = 10**12
IDENTITY = np.array((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def hand(at: float, **changes) -> Teleop:
    made = Teleop(
        stamp=T0 + to_ns(at),
        device="quest",
        operator="ada",
        arm="left",
        mode="relative_ee",
        engaged=True,
        clutch=1,
        pose=IDENTITY,
        names=(),
        position=np.zeros(0),
        gripper=None,
    )
    return dataclasses.replace(made, **changes)


def leader(at: float, offset: float, **changes) -> Teleop:
    position = ARM.home + offset
    return hand(at, device="leader", mode="joint", names=ARM.joints, position=position, **changes)


def moved(x: float, yaw: float = 0.0) -> np.ndarray:
    return np.concatenate(((x, 0.0, 0.0), rotvec_to_quat(np.array((0.0, 0.0, yaw)))))


class Bench:
    """A clutch with an arm that follows perfectly."""

    def __init__(self, **rules) -> None:
        self.teleop = ArmTeleop(ARM, KINEMATICS, TeleopRules(**rules))
        self.arm = np.append(ARM.home, 1.0)

    def hear(self, message: Teleop) -> str | None:
        return self.teleop.accept(message, message.stamp)

    def target(self, at: float):
        return self.teleop.target(T0 + to_ns(at), self.arm, self.arm, DT)


def test_closing_the_clutch_asks_for_the_measured_pose():
    bench = Bench()
    measured = bench.arm + 0.02
    bench.hear(hand(0.0))
    target = bench.teleop.target(T0, bench.arm, measured, DT)
    assert target is not None
    np.testing.assert_allclose(target.position[:6], measured[:6], atol=1e-3)
    assert bench.teleop.phase is Phase.DRIVING


def test_motion_is_relative_to_the_anchor_along_the_base_axes():
    bench = Bench(translation_scale=2.0)
    before = KINEMATICS.forward(bench.arm[:6])
    bench.hear(hand(0.0))
    bench.target(0.0)
    bench.hear(hand(0.03, pose=moved(0.02, yaw=0.1)))
    target = bench.target(0.03)
    assert target is not None
    after = KINEMATICS.forward(target.position[:6])
    np.testing.assert_allclose(after[:3] - before[:3], (0.04, 0.0, 0.0), atol=2e-4)
    turned = KINEMATICS.matrix(target.position[:6])[:3, :3] @ KINEMATICS.home_rotation.T
    assert np.arctan2(turned[1, 0], turned[0, 0]) == pytest.approx(0.1, abs=1e-3)


def test_motion_made_before_the_person_had_the_robot_does_not_count():
    bench = Bench()
    bench.hear(hand(0.0, pose=moved(0.1)))
    target = bench.target(0.0)
    assert target is not None
    np.testing.assert_allclose(target.position, bench.arm, atol=1e-3)


@pytest.mark.parametrize("opened", [True, False])
def test_an_open_deadman_or_silence_holds_until_the_clutch_closes_again(opened):
    bench = Bench()
    bench.hear(hand(0.0))
    assert bench.target(0.0) is not None
    if opened:
        bench.hear(hand(0.1, engaged=False))
        assert bench.target(0.1) is None
    else:
        assert bench.target(0.3) is None
        bench.hear(hand(0.3))
        assert bench.target(0.31) is None, "the same clutch must not drive on"
        assert "close the clutch again" in bench.teleop.problem
    bench.hear(hand(0.4, clutch=2, pose=moved(0.3)))
    target = bench.target(0.4)
    assert target is not None
    np.testing.assert_allclose(target.position, bench.arm, atol=1e-3)
    assert bench.teleop.problem == ""


def test_silence_between_two_ticks_counts_as_well():
    bench = Bench()
    bench.hear(hand(0.0))
    bench.target(0.0)
    bench.hear(hand(0.3, pose=moved(0.05)))
    assert bench.target(0.3) is None


@pytest.mark.parametrize("pose", [moved(0.5), moved(0.0, yaw=1.5)])
def test_a_leap_of_the_tracker_drops_the_clutch(pose):
    bench = Bench()
    bench.hear(hand(0.0))
    bench.target(0.0)
    bench.hear(hand(0.03, pose=pose))
    assert bench.target(0.03) is None
    assert "jumped" in bench.teleop.problem


def test_a_frozen_tracker_holds_the_pose():
    bench = Bench()
    targets = []
    for i in range(20):
        bench.hear(hand(0.05 * i, pose=moved(0.01)))
        targets.append(bench.target(0.05 * i).position)
    assert np.ptp(np.stack(targets), axis=0).max() < 1e-3


def test_a_wish_outside_the_workspace_slides_along_its_wall():
    bench = Bench(max_jump=9.0)
    bench.hear(hand(0.0))
    bench.target(0.0)
    down = np.array((0.03, 0.0, -0.5, 0.0, 0.0, 0.0, 1.0))
    bench.hear(hand(0.03, pose=down))
    target = bench.target(0.03)
    assert "outside the workspace" in target.notes[0]
    point = KINEMATICS.position(target.position[:6])
    assert point[2] == pytest.approx(ARM.limits.workspace_lower[2], abs=1e-2)


def test_a_leader_arm_is_approached_slowly_and_then_followed():
    bench, at = Bench(approach_velocity=0.3, approach_tolerance=0.02), 0.0
    steps = []
    while bench.teleop.phase is not Phase.DRIVING:
        bench.hear(leader(at, 0.3))
        target = bench.target(at)
        steps.append(np.abs(target.position - bench.arm).max())
        bench.arm = target.position
        at += DT
        assert at < 3.0
    assert max(steps[:-1]) <= 0.3 * DT + 1e-9
    assert at == pytest.approx(1.0, abs=0.15)
    bench.hear(leader(at, 0.35))
    np.testing.assert_allclose(bench.target(at).position[:6], ARM.home + 0.35)


def test_a_leader_arm_too_far_away_is_not_followed_until_it_comes_near():
    bench = Bench()
    bench.hear(leader(0.0, 0.8))
    assert bench.target(0.0) is None
    assert "0.80 rad away" in bench.teleop.problem
    assert "0.6 rad" in bench.teleop.problem
    bench.hear(leader(0.1, 0.4))
    assert bench.target(0.1) is not None
    assert bench.teleop.problem == ""


def test_joints_are_taken_by_name():
    bench = Bench()
    order = ARM.joints[::-1]
    bench.hear(dataclasses.replace(leader(0.0, 0.0), names=order, position=ARM.home[::-1]))
    np.testing.assert_allclose(bench.target(0.0).position[:6], ARM.home)


@pytest.mark.parametrize(("given", "wanted"), [(0.25, 0.25), (None, 1.0), (float("nan"), 1.0)])
def test_the_gripper_follows_unless_the_device_leaves_it(given, wanted):
    bench = Bench()
    bench.hear(hand(0.0, gripper=given))
    assert bench.target(0.0).position[6] == wanted


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("mode", hand(0.0, mode="velocity")),
        ("pose", hand(0.0, pose=np.zeros(7))),
        ("pose", hand(0.0, pose=np.full(7, np.nan))),
        ("pose", hand(0.0, pose=np.zeros(6))),
        ("gripper", hand(0.0, gripper=1.5)),
        ("names", dataclasses.replace(leader(0.0, 0.0), names=("a",))),
        ("position", dataclasses.replace(leader(0.0, 0.0), position=np.zeros(5))),
        ("position", leader(0.0, np.inf)),
        ("stamp", hand(-1.0)),
        ("stamp", hand(0.5)),
    ],
)
def test_a_bad_message_is_refused_by_the_name_of_its_field(field, message):
    bench = Bench()
    reason = bench.teleop.accept(message, T0)
    assert reason is not None
    assert reason.startswith(f"{field}: ")
    assert bench.target(0.0) is None


def test_a_second_device_cannot_grab_an_arm_that_is_driven():
    bench = Bench()
    bench.hear(hand(0.0))
    assert (bench.hear(leader(0.05, 0.0)) or "").startswith("device: 'quest'")
    bench.hear(hand(0.1, engaged=False))
    assert bench.hear(leader(0.12, 0.0)) is None


def test_messages_out_of_order_are_refused():
    bench = Bench()
    bench.hear(hand(0.1))
    assert (bench.teleop.accept(hand(0.05), T0 + to_ns(0.1)) or "").startswith("stamp")


def test_senseless_rules_are_refused():
    with pytest.raises(InvalidValue, match="timeout"):
        TeleopRules(timeout=0.0)


def test_half_scale_turns_half_as_far():
    bench = Bench(rotation_scale=0.5)
    bench.hear(hand(0.0))
    bench.target(0.0)
    bench.hear(hand(0.03, pose=moved(0.0, yaw=0.4)))
    pose = KINEMATICS.forward(bench.target(0.03).position[:6])
    start = KINEMATICS.forward(ARM.home)
    turn = abs(float(pose[3:] @ start[3:]))
    assert 2.0 * np.arccos(min(1.0, turn)) == pytest.approx(0.2, abs=2e-3)
    assert np.isfinite(quat_to_rotvec(pose[3:])).all()
