# SPDX-License-Identifier: Apache-2.0
"""The arbiter and people: take-over, hand-back, silence, stop, home; nothing ever jumps."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from arbiter_rig import ARM, DT, GOAL, IDENTITY, KINEMATICS, MAPPER, ROBOT, Rig, driving_rig

from hiors_core.action_space import EeSolution
from hiors_core.arbiter import Arbiter, ArbiterSettings
from hiors_core.authority import Authority, Request
from hiors_core.clock import FakeClock
from hiors_core.errors import InvalidValue
from hiors_core.robot import load_robot
from hiors_core.teleop import Teleop


def test_take_over_anchors_at_the_measured_pose_and_moves_from_there():
    rig = driving_rig()
    rig.run(20)
    assert rig.ask(Request.TAKE_OVER).ok
    assert rig.run(1).authority is Authority.HUMAN
    for _ in range(10):
        rig.hand()
        rig.run(1)
    resting = rig.arbiter.command
    start = KINEMATICS.forward(resting[:6])
    for i in range(1, 31):
        rig.hand(pose=np.concatenate(((0.0, 0.0, 0.002 * i), IDENTITY[3:])), gripper=0.0)
        rig.run(1)
    end = KINEMATICS.forward(rig.arbiter.command[:6])
    np.testing.assert_allclose(end[:3] - start[:3], (0.0, 0.0, 0.06), atol=2e-3)
    assert rig.arbiter.command[6] == 0.0
    assert rig.commands[-1].policy_version == ""
    rig.assert_smooth()


@pytest.mark.parametrize("seed", range(20))
def test_no_leader_arm_makes_the_robot_jump(seed):
    rig, rng = driving_rig(), np.random.default_rng(seed)
    rig.run(int(rng.integers(5, 50)))
    rig.ask(Request.TAKE_OVER)
    offset = rng.uniform(-0.9, 0.9, 6)
    for _ in range(45):
        rig.leader(offset)
        rig.run(1)
    rig.assert_smooth()
    refused = any("leader is" in problem for problem in rig.arbiter.problems)
    caught = np.abs(rig.arbiter.command[:6] - ARM.home - offset).max() < 0.3
    assert refused or caught or rig.arbiter.authority is Authority.HANDOVER


def test_a_leader_arm_is_approached_in_handover_and_then_driven_by():
    rig = Rig()
    rig.ask(Request.TAKE_OVER)
    rig.leader(0.3)
    assert rig.run(1).authority is Authority.HANDOVER
    for _ in range(40):
        rig.leader(0.3)
        rig.run(1)
    assert rig.arbiter.authority is Authority.HUMAN
    np.testing.assert_allclose(rig.arbiter.command[:6], ARM.home + 0.3, atol=1e-6)
    assert rig.arbiter.counters.interventions == 1


def test_silence_holds_within_human_and_long_silence_is_hold():
    rig = Rig(release_timeout=1.0)
    rig.ask(Request.TAKE_OVER)
    for i in range(10):
        rig.hand(pose=np.concatenate(((0.0, 0.0, 0.004 * i), IDENTITY[3:])))
        rig.run(1)
    rig.run(8)
    held = rig.run(1).position
    assert rig.arbiter.authority is Authority.HUMAN
    assert "close the clutch again" in rig.arbiter.problems[0]
    np.testing.assert_array_equal(rig.run(10).position, held)
    rig.run(20)
    assert rig.arbiter.authority is Authority.HOLD
    assert "no device heard" in rig.arbiter.reason
    rig.assert_smooth()


def test_handing_back_flushes_the_chunks():
    rig = driving_rig()
    rig.run(10)
    rig.ask(Request.TAKE_OVER)
    rig.run(5)
    assert rig.ask(Request.POLICY).ok
    held = rig.run(1).position
    command = rig.run(10)
    np.testing.assert_array_equal(command.position, held)
    assert command.chunk_time == -1.0
    assert rig.send(rig.chunk(GOAL)) is None
    rig.run(60)
    rig.assert_smooth()


def test_many_interventions_in_one_episode():
    rig = driving_rig()
    for i in range(8):
        rig.ask(Request.TAKE_OVER)
        for k in range(6):
            rig.hand(clutch=i + 1, pose=np.concatenate(((0, 0, 0.002 * k), IDENTITY[3:])))
            rig.run(1)
        rig.hand(clutch=i + 1, engaged=False)
        rig.ask(Request.POLICY)
        assert rig.send(rig.chunk(GOAL)) is None
        rig.run(10)
    assert rig.arbiter.counters.interventions == 8
    assert rig.arbiter.authority is Authority.POLICY
    rig.assert_smooth()


def test_a_stop_latches_until_resume_and_voids_what_was_buffered():
    rig = driving_rig()
    rig.run(10)
    before = rig.chunk(GOAL)
    assert rig.ask(Request.STOP).ok
    for request in (Request.POLICY, Request.TAKE_OVER, Request.HOME, Request.HOLD):
        assert not rig.ask(request).ok
    rig.hand()
    rig.run(5)
    held = rig.run(1).position
    assert rig.arbiter.authority is Authority.STOPPED
    assert rig.ask(Request.RESUME).ok
    assert (rig.send(before) or "").startswith("authority")
    rig.hand()
    np.testing.assert_array_equal(rig.run(10).position, held)
    assert rig.arbiter.authority is Authority.HOLD
    rig.assert_smooth()


def test_resume_starts_from_where_the_robot_was_moved_by_hand():
    rig = Rig()
    rig.ask(Request.STOP)
    moved = ROBOT.home + 0.2
    moved[6] = 0.4
    now = rig.clock.advance(DT)
    rig.arbiter.on_feedback(moved, now)
    assert rig.arbiter.request(Request.RESUME, "ada", "", now).ok
    command = rig.arbiter.tick(now)
    np.testing.assert_allclose(command.position[:6], moved[:6])
    assert command.position[6] == 1.0


def test_home_lifts_first_then_goes_home_and_holds():
    rig = Rig()
    low = KINEMATICS.forward(ARM.home)
    low[:3] += (0.1, -0.1, -0.17)
    start = np.append(KINEMATICS.inverse(low, ARM.home, 60).q, 0.0)
    rig = Rig()
    rig.arbiter = Arbiter(ROBOT)
    rig.commands.clear()
    rig.arbiter.on_feedback(start, rig.clock.now())
    assert rig.ask(Request.HOME).ok
    heights, sideways = [], []
    while rig.arbiter.authority is not Authority.HOLD or not heights:
        point = KINEMATICS.position(rig.run(1).position[:6])
        heights.append(point[2])
        sideways.append(float(np.linalg.norm(point[:2] - low[:2])))
        assert len(heights) < 400
    top = int(np.argmax(np.array(heights) > low[2] + 0.09))
    assert max(sideways[:top]) < 2e-3
    np.testing.assert_allclose(rig.arbiter.command, ROBOT.home, atol=1e-3)
    assert rig.arbiter.reason == "at home"
    rig.assert_smooth()


def test_home_is_reached_from_a_low_posture_that_cannot_be_lifted():
    rig = Rig()
    folded = np.array((-1.641, -1.045, -2.79, 3.093, 1.731, 1.83, 1.0))  # joint 3 at its limit
    rig.arbiter = Arbiter(ROBOT)
    rig.arbiter.on_feedback(folded, rig.clock.now())
    assert rig.ask(Request.HOME).ok
    rig.run(300)
    assert rig.arbiter.reason == "at home"
    np.testing.assert_allclose(rig.arbiter.command, ROBOT.home, atol=1e-3)


def test_home_can_be_interrupted():
    rig = driving_rig()
    rig.run(60)
    rig.ask(Request.HOME)
    assert rig.run(5).authority is Authority.HANDOVER
    assert rig.ask(Request.TAKE_OVER).ok
    assert rig.run(5).authority is Authority.HUMAN
    rig.assert_smooth()


def test_home_that_is_never_reached_ends_in_hold():
    rig = Rig()
    robot = dataclasses.replace(
        ROBOT, arms=(dataclasses.replace(ARM, home=ARM.home + np.array((2.5, 0, 0, 0, 0, 0))),)
    )
    rig.arbiter = Arbiter(robot)
    rig.arbiter.on_feedback(ROBOT.home, rig.clock.now())
    rig.ask(Request.HOME)
    rig.run(610)
    assert rig.arbiter.authority is Authority.HOLD
    assert "home not reached" in rig.arbiter.reason


def test_an_unknown_arm_is_refused_with_the_known_ones():
    rig = Rig()
    assert rig.hand(arm="third") == "arm: 'third' is not one of left"
    assert rig.arbiter.counters.rejected_teleops == 1


def test_senseless_settings_are_refused():
    with pytest.raises(InvalidValue, match="feedback_timeout"):
        ArbiterSettings(feedback_timeout=0.0)


def test_hours_of_control_do_not_grow():
    rig = Rig()
    rig.ask(Request.POLICY)
    for _ in range(100):
        rig.send(rig.chunk(rig.arbiter.command))
        rig.run(20)
        rig.commands.clear()
    assert len(rig.arbiter._motion._history) <= 100
    assert len(rig.arbiter._chunks._buffer._segments) <= 2


def test_a_wish_that_is_no_number_ends_in_hold_not_in_a_command(monkeypatch):
    rig = Rig()
    rig.ask(Request.POLICY)
    start = MAPPER.joint_to_ee(rig.arbiter.command)
    rig.send(rig.chunk(start + 0.01, kind="ee", start=start))
    rig.run(5)
    broken = EeSolution(position=np.full(7, np.nan), notes=())
    monkeypatch.setattr(rig.arbiter._mapper, "solve", lambda *_: broken)
    command = rig.run(1)
    assert command.authority is Authority.HOLD
    assert np.isfinite(command.position).all()
    assert "must be finite" in rig.arbiter.reason
    rig.run(5)
    rig.assert_smooth()


def test_an_arm_that_nobody_drives_stands_still():
    both = load_robot(Path(__file__).parents[3] / "config/robots/xtrainer.yaml")
    arbiter, clock = Arbiter(both), FakeClock(10**12)
    arbiter.on_feedback(both.home, clock.now())
    assert arbiter.request(Request.TAKE_OVER, "ada", "", clock.now()).ok
    for i in range(30):
        now = clock.advance(DT)
        arbiter.on_feedback(arbiter.command, now)
        pose = np.concatenate(((0.0, 0.0, 0.002 * i), IDENTITY[3:]))
        hand = Teleop(
            stamp=now, device="quest", operator="ada", arm="right", mode="relative_ee",
            engaged=True, clutch=1, pose=pose, names=(), position=np.zeros(0), gripper=0.0,
        )  # fmt: skip
        assert arbiter.on_teleop(hand, now) is None
        command = arbiter.tick(now)
    np.testing.assert_array_equal(command.position[:7], both.home[:7])
    assert np.abs(command.position[7:13] - both.home[7:13]).max() > 0.02
    assert command.position[13] == 0.0
