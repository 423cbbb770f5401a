# SPDX-License-Identifier: Apache-2.0
"""The arbiter with a robot that follows: who drives, and that nothing ever jumps."""

import dataclasses

import numpy as np
import pytest
from arbiter_rig import ARM, DT, GOAL, KINEMATICS, MAPPER, ROBOT, Rig, driving_rig

from hiors_core.arbiter import Arbiter
from hiors_core.authority import Authority, Request
from hiors_core.clock import to_ns
from hiors_core.errors import StateError
from hiors_core.transitions import TRANSITIONS, Event, legal_requests


def test_it_starts_in_hold_and_holds_where_the_robot_is():
    rig = Rig()
    command = rig.run(5)
    assert command.authority is Authority.HOLD
    np.testing.assert_array_equal(command.position, ROBOT.home)
    assert not command.position.flags.writeable
    assert [c.tick for c in rig.commands] == list(range(6))


def test_without_feedback_there_is_no_command():
    arbiter = Arbiter(ROBOT)
    with pytest.raises(StateError, match="on_feedback"):
        arbiter.tick(0)
    refused = arbiter.request(Request.POLICY, "ada", "", 0)
    assert not refused.ok
    assert "feedback: none yet" in refused.message
    assert arbiter.request(Request.STOP, "ada", "", 0).ok


def test_every_request_in_every_state_is_as_the_table_says():
    seen = set()
    for (authority, event), after in TRANSITIONS.items():
        if event.name not in Request.__members__:
            continue
        rig = Rig()
        ways = {
            Authority.HOLD: (),
            Authority.POLICY: (Request.POLICY,),
            Authority.HUMAN: (Request.TAKE_OVER,),
            Authority.HANDOVER: (Request.HOME,),
            Authority.STOPPED: (Request.STOP,),
        }
        for step in ways[authority]:
            assert rig.ask(step).ok
        epoch = rig.arbiter.epoch
        assert rig.ask(Request[event.name]).ok
        assert rig.arbiter.authority is after
        changed = after is not authority or event is Event.HOME
        assert rig.arbiter.epoch == epoch + changed
        seen.add((authority, event))
    assert len(seen) == 22
    assert legal_requests(Authority.STOPPED) == (Request.STOP, Request.RESUME)


def test_an_illegal_request_is_refused_and_says_what_is_legal():
    rig = Rig()
    result = rig.ask(Request.RESUME)
    assert not result.ok
    assert "not legal in HOLD" in result.message
    assert "TAKE_OVER" in result.message


def test_chunks_drive_with_their_provenance():
    rig = driving_rig()
    command = rig.run(30)
    assert command.authority is Authority.POLICY
    assert (command.policy_version, command.chunk_sequence) == ("v000007", 1)
    assert command.chunk_time == pytest.approx(30 * DT / 0.1 - 1.0, abs=1e-3)
    np.testing.assert_allclose(command.position, 0.5 * (GOAL + ROBOT.home), atol=1e-3)
    rig.run(30)
    np.testing.assert_allclose(rig.arbiter.command, GOAL, atol=1e-6)
    rig.assert_smooth()
    assert rig.arbiter.counters.limited_ticks == 0


def test_ee_chunks_go_through_the_inverse_kinematics():
    rig = Rig()
    rig.ask(Request.POLICY)
    start = MAPPER.joint_to_ee(rig.arbiter.command)
    goal = start + np.array((0.05, 0.03, 0.05, 0.0, 0.0, 0.4, -1.0))
    assert rig.send(rig.chunk(goal, kind="ee", start=start, rows=20)) is None
    rig.run(60)
    np.testing.assert_allclose(MAPPER.joint_to_ee(rig.arbiter.command), goal, atol=1e-3)
    rig.assert_smooth()


def test_an_ee_chunk_out_of_the_workspace_is_limited_with_a_reason():
    rig = Rig()
    rig.ask(Request.POLICY)
    start = MAPPER.joint_to_ee(rig.arbiter.command)
    goal = start - np.array((0, 0, 0.4, 0, 0, 0, 0))
    rig.send(rig.chunk(goal, kind="ee", start=start))
    command = rig.run(55)
    assert any("outside the workspace" in change for change in command.limited)
    point = KINEMATICS.position(command.position[:6])
    assert point[2] >= ARM.limits.workspace_lower[2] - 1e-6
    assert rig.arbiter.counters.limited_ticks > 0


def test_a_leaping_chunk_is_followed_at_the_limits():
    rig = Rig()
    rig.ask(Request.POLICY)
    chunk = rig.chunk(GOAL)
    values = chunk.values.copy()
    values[5:, :2] = ROBOT.home[:2] - 0.4
    rig.send(dataclasses.replace(chunk, values=values))
    rig.run(60)
    rig.assert_smooth()
    assert rig.arbiter.counters.limited_ticks > 0
    np.testing.assert_allclose(rig.arbiter.command[:6], values[-1, :6], atol=1e-3)


def test_a_nan_chunk_is_refused_counted_and_changes_nothing():
    rig = driving_rig()
    bad = rig.chunk(GOAL)
    values = bad.values.copy()
    values[3, 2] = np.nan
    reason = rig.send(dataclasses.replace(bad, values=values))
    assert reason is not None
    assert reason.startswith("values: nan at row 3, column left_joint3")
    assert rig.arbiter.counters.rejected_chunks == 1
    assert rig.run(10).chunk_sequence == 1


def test_chunks_are_void_in_hold_after_a_stop_and_after_a_hand_over():
    rig = driving_rig()
    old = rig.chunk(GOAL)
    rig.ask(Request.HOLD)
    assert (rig.send(old) or "").startswith("authority: HOLD")
    rig.ask(Request.TAKE_OVER)
    assert (rig.send(old) or "").startswith("authority: HUMAN")
    rig.ask(Request.POLICY)
    assert (rig.send(old) or "").startswith("epoch")


def test_losing_the_policy_is_hold_within_a_fifth_of_a_second():
    rig = driving_rig()
    rig.run(60)
    last = rig.clock.now()
    while rig.arbiter.authority is Authority.POLICY:
        rig.run(1)
    assert rig.clock.now() - last <= to_ns(0.2)
    assert rig.arbiter.counters.starvations == 1
    assert "no fresh chunk" in rig.arbiter.reason
    held = rig.run(1).position
    np.testing.assert_array_equal(rig.run(30).position, held)
    rig.assert_smooth()


def test_fresh_chunks_resume_after_a_starvation_without_a_jump():
    rig = driving_rig()
    late = rig.chunk(ROBOT.home - 0.3)
    rig.run(75)
    assert rig.arbiter.authority is Authority.HOLD
    assert rig.arbiter.wants_chunks
    assert (rig.send(late) or "").startswith("epoch")
    epoch = rig.arbiter.epoch
    assert rig.send(rig.chunk(ROBOT.home)) is None
    assert rig.arbiter.authority is Authority.POLICY
    assert rig.arbiter.epoch == epoch
    rig.run(20)
    assert rig.send(rig.chunk(ROBOT.home)) is None
    rig.run(60)
    np.testing.assert_allclose(rig.arbiter.command, ROBOT.home, atol=1e-6)
    rig.assert_smooth()


def test_after_too_long_a_starvation_only_a_person_resumes():
    rig = driving_rig(resume_window=1.0)
    rig.run(100)
    assert rig.arbiter.authority is Authority.HOLD
    assert (rig.send(rig.chunk(GOAL)) or "").startswith("authority: HOLD")
    assert rig.ask(Request.POLICY).ok


def test_a_policy_that_never_speaks_is_hold_after_its_time():
    rig = Rig(first_chunk_timeout=0.5)
    rig.ask(Request.POLICY)
    rig.run(13)
    assert rig.arbiter.authority is Authority.POLICY
    rig.run(4)
    assert rig.arbiter.authority is Authority.HOLD
    assert rig.arbiter.counters.starvations == 0


def test_stale_feedback_is_hold_with_a_reason():
    rig = driving_rig()
    rig.run(10)
    rig.feedback = False
    rig.run(8)
    assert rig.arbiter.authority is Authority.HOLD
    assert rig.arbiter.reason.startswith("feedback: ")
    assert rig.arbiter.problems[0].startswith("feedback: ")
    assert not rig.ask(Request.POLICY).ok
    rig.feedback = True
    rig.run(1)
    assert rig.ask(Request.POLICY).ok
    rig.assert_smooth()


ALARM = "left arm in fault: the arm is in alarm"


def test_a_robot_in_alarm_is_hold_that_names_it_until_a_person_asks():
    rig = driving_rig()
    rig.run(10)
    rig.arbiter.on_robot(ALARM)
    command = rig.run(1)
    assert (command.authority, rig.arbiter.reason) == (Authority.HOLD, ALARM)
    rig.arbiter.on_robot(f"{ALARM}: collision detected")
    rig.run(1)
    assert rig.arbiter.reason == f"{ALARM}: collision detected"
    assert rig.arbiter.problems == (f"{ALARM}: collision detected",)
    for request in (Request.POLICY, Request.TAKE_OVER, Request.HOME):
        refused = rig.ask(request)
        assert (refused.ok, "collision" in refused.message) == (False, True)
    rig.arbiter.on_robot("")
    rig.run(1)
    assert (rig.arbiter.problems, rig.arbiter.wants_chunks) == ((), False)
    assert rig.arbiter.authority is Authority.HOLD
    assert rig.ask(Request.POLICY).ok
    rig.assert_smooth()


def test_an_alarm_voids_what_stale_feedback_would_have_let_resume():
    rig = driving_rig()
    rig.run(10)
    rig.feedback = False
    rig.run(8)
    assert rig.arbiter.wants_chunks
    rig.arbiter.on_robot(ALARM)
    rig.feedback = True
    rig.run(1)
    rig.arbiter.on_robot("")
    assert "takes no chunks" in (rig.send(rig.chunk(GOAL)) or "")


def test_a_robot_in_alarm_may_be_stopped_and_leaves_the_stop_again():
    rig = driving_rig()
    rig.arbiter.on_robot(ALARM)
    rig.run(1)
    assert rig.ask(Request.STOP).ok
    assert rig.ask(Request.RESUME).ok
    assert rig.arbiter.authority is Authority.HOLD


def test_feedback_from_the_future_is_not_trusted():
    rig = Rig()
    rig.arbiter.on_feedback(ROBOT.home, rig.clock.now() + to_ns(5.0))
    result = rig.ask(Request.POLICY)
    assert not result.ok
    assert "in the future" in result.message


@pytest.mark.parametrize("bad", [np.full(7, np.nan), np.zeros(6)])
def test_bad_feedback_is_refused_by_name(bad):
    rig = Rig()
    assert (rig.arbiter.on_feedback(bad, rig.clock.now()) or "").startswith("position: ")
    assert rig.arbiter.counters.refused_feedback == 1


def test_a_robot_that_does_not_follow_is_hold_and_the_command_comes_to_it():
    rig = driving_rig(follow_tolerance=0.1)
    stuck = rig.arbiter.command
    rig.feedback = False
    for _ in range(60):
        now = rig.clock.advance(DT)
        rig.arbiter.on_feedback(stuck, now)
        command = rig.arbiter.tick(now)
    assert command.authority is Authority.HOLD
    assert rig.arbiter.reason.startswith("follow: left_joint1")
    assert not rig.arbiter.wants_chunks
    np.testing.assert_allclose(command.position[:6], stuck[:6])


def stuck_rig(away: float) -> tuple[Rig, np.ndarray]:
    """Somebody drove on for a while although the robot stood; now it is HOLD."""
    rig = driving_rig()
    rig.run(20)
    stuck = rig.arbiter.command.copy()
    stuck[0] -= away
    rig.ask(Request.HOLD)
    stand(rig, stuck, 10)
    return rig, stuck


def stand(rig: Rig, position: np.ndarray, ticks: int) -> np.ndarray:
    for _ in range(ticks):
        now = rig.clock.advance(DT)
        rig.arbiter.on_feedback(position, now)
        rig.commands.append(rig.arbiter.tick(now))
    return rig.commands[-1].position


def test_in_hold_the_command_comes_to_a_robot_that_stands_elsewhere():
    rig, stuck = stuck_rig(0.2)
    assert np.abs(rig.arbiter.command[:6] - stuck[:6]).max() > 0.15, "it may still be coming"
    np.testing.assert_allclose(stand(rig, stuck, 15)[:6], stuck[:6])
    assert rig.arbiter.authority is Authority.HOLD


def test_an_arm_that_gives_way_does_not_take_its_command_down_with_it():
    rig, stuck = stuck_rig(0.05)
    settled = stand(rig, stuck, 15)
    np.testing.assert_allclose(settled[:6], stuck[:6])
    lower = stuck - np.array([0.05, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(stand(rig, lower, 60)[:6], settled[:6])
    moved = stuck - np.array([0.15, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(stand(rig, moved, 60)[:6], moved[:6])


def test_a_robot_that_is_where_it_should_be_keeps_its_command():
    rig, _ = stuck_rig(0.0)
    held = rig.arbiter.command
    near = held + np.array([0.004, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(stand(rig, near, 60), held)


@pytest.mark.parametrize("request_", [Request.HOLD, Request.TAKE_OVER, Request.HOME])
def test_a_request_begins_where_a_robot_stands_that_did_not_obey(request_: Request):
    rig = driving_rig()
    rig.run(10)
    stuck = rig.arbiter.command
    assert np.abs(stand(rig, stuck, 17) - stuck)[:6].max() > 0.02
    assert rig.ask(request_).ok
    np.testing.assert_array_equal(rig.arbiter.command[:6], stuck[:6])
