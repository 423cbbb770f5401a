# SPDX-License-Identifier: Apache-2.0
"""The arbiter with a robot that follows: who drives, and that nothing ever jumps."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hiors_core.action_space import ActionMapper, EeSolution, action_space
from hiors_core.arbiter import Arbiter, ArbiterSettings
from hiors_core.authority import Authority, Request
from hiors_core.chunk import Chunk
from hiors_core.clock import FakeClock, to_ns
from hiors_core.command import Command
from hiors_core.errors import InvalidValue, StateError
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import load_robot
from hiors_core.teleop import Teleop
from hiors_core.transitions import TRANSITIONS, Event, legal_requests

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/xtrainer.yaml", ["left"])
ARM = ROBOT.arms[0]
KINEMATICS = ArmKinematics(ARM)
MAPPER = ActionMapper(ROBOT)
DT = 1.0 / 30.0
IDENTITY = np.array((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))


class Rig:
    """An arbiter, a clock and a robot that is at each command one tick later."""

    def __init__(self, **settings) -> None:
        self.clock = FakeClock(10**12)
        self.arbiter = Arbiter(ROBOT, ArbiterSettings(**settings))
        self.feedback = True
        self.sequence = 0
        self.commands: list[Command] = []
        self.arbiter.on_feedback(ROBOT.home, self.clock.now())
        self.run(1)

    def run(self, ticks: int) -> Command:
        for _ in range(ticks):
            now = self.clock.advance(DT)
            if self.feedback:
                assert self.arbiter.on_feedback(self.arbiter.command, now) is None
            self.commands.append(self.arbiter.tick(now))
        return self.commands[-1]

    def ask(self, request: Request, operator: str = "ada"):
        return self.arbiter.request(request, operator, "", self.clock.now())

    def chunk(self, goal, *, rows=20, dt=0.1, kind="joint", start=None, **changes) -> Chunk:
        """A straight line from the command in force to ``goal`` over the chunk."""
        space = action_space(ROBOT, kind)
        start = self.arbiter.command if start is None else start
        way = np.linspace(0.0, 1.0, rows + 1)[1:, None]
        self.sequence += 1
        made = Chunk(
            obs_stamp=self.clock.now(),
            sequence=self.sequence,
            epoch=self.arbiter.epoch,
            policy_version="v000007",
            kind=kind,
            names=space.names,
            units=space.units,
            dt=dt,
            values=start + way * (goal - start),
        )
        return dataclasses.replace(made, **changes)

    def send(self, chunk: Chunk) -> str | None:
        return self.arbiter.on_chunk(chunk, self.clock.now())

    def hand(self, **changes) -> str | None:
        made = Teleop(
            stamp=self.clock.now(),
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
        return self.arbiter.on_teleop(dataclasses.replace(made, **changes), self.clock.now())

    def leader(self, offset: float, **changes) -> str | None:
        position = ARM.home + offset
        return self.hand(mode="joint", names=ARM.joints, position=position, **changes)

    def assert_smooth(self) -> None:
        """Every command since the start is a legal step from the one before."""
        path = np.stack([c.position for c in self.commands])[:, :6]
        speed = np.diff(path, axis=0) / DT
        assert np.all(np.abs(speed) <= ARM.limits.velocity + 1e-6)
        ramp = ARM.limits.acceleration * DT + 1e-6
        assert np.all(np.abs(np.diff(speed, axis=0)) <= ramp)


GOAL = ROBOT.home + np.array((0.3, 0.1, -0.1, 0.1, 0.1, 0.1, -0.5))


def driving_rig(**settings) -> Rig:
    rig = Rig(**settings)
    assert rig.ask(Request.POLICY).ok
    assert rig.send(rig.chunk(GOAL)) is None
    return rig


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
    assert len(rig.arbiter._buffer._segments) <= 2


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
