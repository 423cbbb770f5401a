# SPDX-License-Identifier: Apache-2.0
"""The real driver against the emulated arm over TCP and pty: start-up, stream, watchdog, faults,
stop.
"""

import re
import socket
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pytest

from hiors_core.authority import Authority
from hiors_core.driver_arm import ArmState
from hiors_core.errors import HiorsError, StateError

Wait = Callable[[Callable[[], bool], str], None]


def done(futures: "list[Future[str]]") -> list[str]:
    return [future.result(timeout=15) for future in futures]


def servo_steps(rig) -> np.ndarray:
    """Largest joint step between successive ServoJ [rad]."""
    sent = [r.values[:6] for r in rig.emulator.received() if r.name == "servoj"]
    return np.abs(np.diff(np.radians(sent), axis=0)).max(axis=1)


def test_start_sequence_is_the_published_one(make_rig) -> None:
    rig = make_rig(chosen="v3")
    rig.start()
    commands = rig.emulator.call(lambda c: list(c.commands))
    wanted = [
        "robotmode",
        "enablerobot",
        "speedfactor",
        "accj",
        "speedj",
        "settool",
        "tool",
        "stopdrag",
    ]
    assert commands[: len(wanted)] == wanted
    state = rig.emulator.call(lambda c: (c.state.tool, c.state.tools[1], dict(c.state.ratios)))
    assert state[0] == 1
    assert state[1] == (0.0, 0.0, 197.0, 0.0, 0.0, 0.0)
    assert (state[2]["speedfactor"], state[2]["accj"], state[2]["speedj"]) == (20, 20, 20)


@pytest.mark.parametrize("replies", [False, True])
def test_commands_move_both_arms_and_their_grippers(make_rig, waiter: Wait, replies: bool) -> None:
    rig = make_rig("left", "right", servoj_replies=replies)
    arbiter = rig.start()
    goal = rig.robot.home + np.tile([0.3, 0, -0.2, 0, 0, 0.1, -0.5], 2)
    arbiter.goal = goal
    waiter(lambda: np.allclose(rig.driver.reading().position, goal, atol=0.01), "the goal")
    for arm, columns in (("left", slice(0, 6)), ("right", slice(7, 13))):
        np.testing.assert_allclose(rig.joints(arm), goal[columns], atol=1e-4)
    assert servo_steps(rig).max() <= 0.5 * 0.03 * 1.25 * 3


def test_executed_echoes_the_command_with_what_was_really_sent(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    arbiter = rig.start()
    arbiter.begin(Authority.POLICY)
    arbiter.goal = rig.robot.home + np.array([0.4, 0, 0, 0, 0, 0, 0])
    waiter(lambda: len(rig.executed) > 40, "executed actions")
    arbiter.paused = True
    executed = list(rig.executed)
    assert all(
        (e.policy_version, e.chunk_sequence, e.chunk_time) == ("v000007", 3, 1.5) for e in executed
    )
    ticks = [e.tick for e in executed]
    assert ticks == sorted(set(ticks))
    assert executed[-1].authority is Authority.POLICY
    wire = np.array([r.values[:6] for r in rig.emulator.received()])
    for action in executed:
        assert np.abs(wire - np.degrees(action.position[:6])).max(axis=1).min() < 1e-5


def test_velocity_is_measured_not_copied(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    arbiter = rig.start()
    arbiter.goal = rig.robot.home + np.array([1.0, 0, 0, 0, 0, 0, 0])
    waiter(lambda: abs(rig.driver.reading().velocity[0] - 0.5) < 0.15, "0.5 rad/s on joint 1")
    assert abs(rig.driver.reading().velocity[1]) < 0.01


def test_silence_of_the_arbiter_holds_and_says_so(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    arbiter = rig.start()
    arbiter.goal = rig.robot.home + np.array([1.0, 0, 0, 0, 0, 0, 0])
    waiter(lambda: rig.joints()[0] > rig.robot.home[0] + 0.1, "motion")
    arbiter.paused = True
    waiter(lambda: "no command for 0.2 s" in rig.driver.status().problem, "the watchdog")
    sent = [r for r in rig.emulator.received() if r.name == "servoj"]
    assert sent[-1].values == sent[-2].values, "the last set-point is repeated: a stop"
    np.testing.assert_allclose(np.degrees(arbiter.position[:6]), sent[-1].values[:6], atol=1e-4)
    count = rig.servo_count()
    reading = rig.driver.reading()
    assert reading is not None
    assert rig.state() is ArmState.READY
    arbiter.paused = False
    waiter(lambda: rig.servo_count() > count, "the stream to go on with fresh commands")


def test_alarm_in_motion_faults_with_its_text_and_does_not_resume(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    arbiter = rig.start()
    arbiter.begin(Authority.POLICY)
    arbiter.goal = rig.robot.home + np.array([1.0, 0, 0, 0, 0, 0, 0])
    waiter(lambda: rig.joints()[0] > rig.robot.home[0] + 0.1, "motion")
    rig.emulator.call(lambda c: c.state.raise_alarm(117))
    waiter(lambda: "collision detected (alarm 117)" in rig.reason(), "the alarm's text")
    here = rig.joints()
    assert rig.state() is ArmState.FAULT

    assert done(rig.driver.clear_error()) == ["left: cleared"]
    assert rig.state() is ArmState.FAULT
    assert done(rig.driver.enable()) == ["left: enabled"]
    count = rig.servo_count()
    waiter(lambda: "must HOLD" in rig.driver.status().problem, "the latch")
    assert rig.servo_count() == count, "the old authority must not go on"
    np.testing.assert_allclose(rig.joints(), here, atol=1e-9)

    arbiter.position = arbiter.goal = np.append(here, 1.0)
    arbiter.begin(Authority.HOLD)
    waiter(lambda: rig.servo_count() > count, "the stream after HOLD")


def test_pressed_estop_cannot_be_cleared(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    rig.start()
    rig.emulator.call(lambda c: c.state.press_estop())
    waiter(lambda: "e-stop button is pressed" in rig.reason(), "the text")
    with pytest.raises(StateError, match="not cleared: the e-stop button"):
        done(rig.driver.clear_error())
    rig.emulator.call(lambda c: c.state.release_estop())
    done(rig.driver.clear_error())
    done(rig.driver.enable())
    assert rig.state() is ArmState.READY


def test_stop_of_the_arbiter_stops_at_once_and_latches(make_rig, waiter: Wait) -> None:
    rig = make_rig("left", "right")
    arbiter = rig.start()
    arbiter.begin(Authority.HUMAN)
    arbiter.goal = rig.robot.home + np.tile([1.0, 0, 0, 0, 0, 0, 0], 2)
    waiter(lambda: rig.joints()[0] > rig.robot.home[0] + 0.1, "motion")
    arbiter.begin(Authority.STOPPED)
    waiter(lambda: rig.state("right") is ArmState.STOPPED, "the stop")
    waiter(lambda: rig.emulator.call(lambda c: c.commands["resetrobot"]) == 1, "ResetRobot")
    count, here = rig.servo_count(), rig.joints()
    arbiter.position = rig.robot.home + np.tile([0.2, 0, 0, 0, 0, 0, 0], 2)
    waiter(lambda: arbiter.tick > 0 and "stopped" in rig.driver.status().problem, "the reason")
    assert rig.servo_count() == count
    reading = rig.driver.reading()
    arbiter.position = arbiter.goal = reading.position
    arbiter.begin(Authority.HOLD)
    waiter(lambda: rig.state("right") is ArmState.READY, "release by the arbiter")
    waiter(lambda: rig.servo_count() > count, "the stream")
    np.testing.assert_allclose(rig.joints(), here, atol=0.01)


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda e: e.faults.stall_all(), "no fresh feedback"),
        (lambda e: e.drop_connections(), "link to 127.0.0.1 lost"),
        (lambda e: e.drop_connections("feedback"), "link to 127.0.0.1 lost"),
        (lambda e: e.call(lambda c: c.state.disable()), "disabled"),
        (lambda e: e.call(lambda c: setattr(c.state, "dragging", True)), "drag mode"),
    ],
)
def test_a_broken_link_is_a_fault_until_a_person_enables(
    make_rig, waiter: Wait, break_it, reason: str
) -> None:
    rig = make_rig()
    rig.start()
    break_it(rig.emulator)
    waiter(lambda: rig.state() is ArmState.FAULT, "the fault")
    assert reason in rig.reason()
    assert not rig.driver.status().moving
    for channel in (rig.emulator.faults.dashboard, rig.emulator.faults.feedback):
        channel.stall = False
    assert rig.state() is ArmState.FAULT
    assert done(rig.driver.enable()) == ["left: enabled"]
    waiter(lambda: rig.driver.status().moving, "streaming again under HOLD")


def test_a_fault_of_one_arm_holds_the_other(make_rig, waiter: Wait) -> None:
    rig = make_rig("left", "right")
    rig.start()
    rig.emulators["right"].call(lambda c: c.state.raise_alarm(50))
    waiter(lambda: "joint 3 is too fast" in rig.reason("right"), "the right arm's fault")
    count = rig.servo_count("left")
    waiter(lambda: "right fault" in rig.driver.status().problem, "the hold")
    assert rig.servo_count("left") <= count + 1
    assert rig.state("left") is ArmState.READY


@pytest.mark.parametrize("pulled", [False, True], ids=["silent", "pulled cable"])
def test_a_dead_gripper_is_a_fault(make_rig, waiter: Wait, pulled: bool) -> None:
    rig = make_rig()
    rig.start()
    if pulled:
        rig.buses["left"].stop()
    rig.buses["left"].fault.stall = True
    waiter(lambda: rig.state() is ArmState.FAULT, "the fault")
    expected = rig.buses["left"].port if pulled else "gripper with id 21"
    assert expected in rig.reason()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: 4.0}, "left_joint2 = 4.0000 is outside -3.1400 .. 3.1400"),
        ({6: 1.2}, "left_gripper"),
        ({0: np.nan}, "left_joint1 is not a finite number"),
    ],
)
def test_impossible_commands_are_refused_by_name(make_rig, change: dict, message: str) -> None:
    rig = make_rig()
    arbiter = rig.start()
    arbiter.close()
    position = rig.robot.home.copy()
    for i, value in change.items():
        position[i] = value
    assert message in rig.driver.command(arbiter.command(position))
    assert message in rig.driver.status().problem
    assert "7 values" not in (rig.driver.command(arbiter.command(rig.robot.home)) or "")
    assert rig.driver.command(arbiter.command(np.zeros(3))) == (
        "position has 3 values, the robot 7"
    )


def test_a_far_command_is_not_followed(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    arbiter = rig.start()
    arbiter.position = arbiter.goal = rig.robot.home + np.array([0.9, 0, 0, 0, 0, 0, 0])
    waiter(lambda: "left_joint1 is commanded" in rig.driver.status().problem, "the refusal")
    np.testing.assert_allclose(rig.joints(), rig.robot.home[:6], atol=0.01)


def test_a_fast_command_is_cut_and_the_cut_is_reported(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    arbiter = rig.start()
    rig.executed.clear()
    arbiter.position = arbiter.goal = rig.robot.home + np.array([0.5, 0, 0, 0, 0, 0, 0])
    waiter(lambda: abs(rig.joints()[0] - arbiter.goal[0]) < 1e-3, "the goal")
    assert servo_steps(rig).max() <= 2.0 * 0.03 * 1.25 + 1e-6
    assert any("driver: left_joint1 step" in text for e in rig.executed for text in e.limited)
    assert rig.state() is ArmState.READY


def test_alarm_at_start_is_reported_and_not_cleared(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    rig.emulator.call(lambda c: c.state.raise_alarm(117))
    rig.driver.start()
    waiter(lambda: rig.state() is ArmState.FAULT, "the fault")
    assert "collision detected (alarm 117)" in rig.reason()
    assert rig.emulator.call(lambda c: c.commands["clearerror"]) == 0
    with pytest.raises(HiorsError, match="alarm 117"):
        done(rig.driver.enable())


def test_enable_powers_an_arm_on(make_rig, waiter: Wait) -> None:
    rig = make_rig(powered=False)
    rig.driver.start()
    waiter(lambda: rig.state() is ArmState.FAULT, "the fault")
    assert "powered off: call driver/enable" in rig.reason()
    assert done(rig.driver.enable()) == ["left: enabled"]


def test_driver_waits_for_an_arm_that_comes_up_later(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    rig.emulator.faults.dashboard.stall = True
    rig.driver.start()
    waiter(lambda: "no answer in time" in rig.reason() or "timed out" in rig.reason(), "a try")
    assert rig.state() is ArmState.DISCONNECTED
    rig.emulator.faults.dashboard.stall = False
    waiter(lambda: rig.state() is ArmState.READY, "the start")


def test_second_driver_on_the_same_arm_is_refused(make_rig) -> None:
    rig = make_rig()
    rig.start()
    with pytest.raises(StateError, match="already driven by process"):
        rig.with_settings().start()
    rig.driver.close()
    second = rig.with_settings()
    second.start()
    second.close()


def test_another_programs_servoj_on_the_same_controller_ends_in_a_fault(
    make_rig, waiter: Wait
) -> None:
    rig = make_rig()
    rig.start()
    away = np.degrees(rig.joints()) + 60.0
    order = f"ServoJ({','.join(f'{angle:.3f}' for angle in away)},t=0.03)".encode()
    address = (rig.emulator.host, rig.emulator.ports.motion)
    with socket.create_connection(address) as stranger:

        def faulted() -> bool:
            stranger.sendall(order)
            return rig.state() is ArmState.FAULT

        waiter(faulted, "the fault")
    waiter(lambda: "(alarm" in rig.reason(), "the alarm's text")
    assert re.search(r"joint \d (is too fast|lags)|target jumps", rig.reason()), rig.reason()
    assert not rig.driver.status().moving


def test_an_alarm_at_start_can_be_cleared_and_enabled(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    rig.emulator.call(lambda c: c.state.raise_alarm(117))
    rig.driver.start()
    waiter(lambda: rig.state() is ArmState.FAULT, "the fault")
    assert done(rig.driver.clear_error()) == ["left: cleared"]
    assert done(rig.driver.enable()) == ["left: enabled"]


@pytest.mark.parametrize(("protocol", "chosen"), [("v4", "auto"), ("v4", "v4"), ("v3", "v3")])
def test_either_protocol_drives_stops_and_recovers(
    make_rig, waiter: Wait, protocol: str, chosen: str
) -> None:
    rig = make_rig(protocol=protocol, chosen=chosen)
    arbiter = rig.start()
    commands = rig.emulator.call(lambda c: dict(c.commands))
    assert ("velj" in commands, "speedj" in commands) == (protocol == "v4", protocol == "v3")
    arbiter.goal = rig.robot.home + np.array([0.3, 0, -0.2, 0, 0, 0.1, -0.5])
    waiter(lambda: np.allclose(rig.driver.reading().position, arbiter.goal, atol=0.01), "the goal")
    assert all(r.error_id == 0 for r in rig.emulator.received())
    arbiter.begin(Authority.STOPPED)
    stop = "stop" if protocol == "v4" else "resetrobot"
    waiter(lambda: rig.emulator.call(lambda c: c.commands[stop]) == 1, "the stop")
    arbiter.begin(Authority.HOLD)
    waiter(lambda: rig.state() is ArmState.READY, "the release")
    rig.emulator.call(lambda c: c.state.raise_alarm(117))
    waiter(lambda: "collision detected (alarm 117)" in rig.reason(), "the alarm's text")
    done(rig.driver.clear_error())
    assert done(rig.driver.enable()) == ["left: enabled"]


def test_the_wrong_protocol_is_a_clear_refusal(make_rig, waiter: Wait) -> None:
    rig = make_rig(protocol="v3", chosen="v4")
    rig.driver.start()
    waiter(lambda: rig.state() is ArmState.FAULT, "the refusal")
    assert "the arm does not know the command (-10000)" in rig.reason()
