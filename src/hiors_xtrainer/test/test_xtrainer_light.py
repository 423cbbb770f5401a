# SPDX-License-Identifier: Apache-2.0
"""Two arms on the real ports at once, and the stack light on one of them."""

from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pytest

from hiors_core.errors import InvalidValue, UnknownName
from hiors_xtrainer.light import LightSettings, StackLight, lamps

Wait = Callable[[Callable[[], bool], str], None]
HOSTS = ("127.0.5.1", "127.0.5.2")


def test_two_arms_on_the_real_ports_move_at_once(make_rig, waiter: Wait) -> None:
    rig = make_rig("left", "right", hosts=HOSTS)
    for arm, host in zip(("left", "right"), HOSTS, strict=True):
        emulator = rig.emulators[arm]
        ports = emulator.ports
        assert emulator.host == host
        assert (ports.dashboard, ports.motion, ports.feedback) == (29999, 30003, 30004)
    arbiter = rig.start()
    goal = rig.robot.home + np.array([0.2, 0, 0, 0, 0, 0, 0, 0, 0, -0.2, 0, 0, 0, 0])
    arbiter.goal = goal
    waiter(lambda: np.allclose(rig.joints("left"), goal[:6], atol=1e-3), "the left arm")
    waiter(lambda: np.allclose(rig.joints("right"), goal[7:13], atol=1e-3), "the right arm")


def outputs(rig) -> int:
    return rig.emulator.call(lambda c: c.state.digital_outputs)


def test_the_light_shows_motion_recording_and_fault(make_rig, waiter: Wait) -> None:
    rig = make_rig()
    rig.start()
    light = StackLight(
        LightSettings("left", (1, 2, 3)), lambda i, on: rig.driver.output("left", i, on)
    )

    def shows(bits: int, recording: bool) -> Callable[[], bool]:
        def condition() -> bool:
            light.show(lamps(rig.driver.status(), recording))
            return outputs(rig) == bits

        return condition

    waiter(shows(0b010, recording=False), "yellow")
    waiter(shows(0b110, recording=True), "yellow and green")
    count = rig.emulator.call(lambda c: c.commands["doexecute"])
    for _ in range(20):
        light.show(lamps(rig.driver.status(), True))
    assert rig.emulator.call(lambda c: c.commands["doexecute"]) == count, "only changes are sent"
    rig.emulator.call(lambda c: c.state.raise_alarm(117))
    waiter(shows(0b001, recording=False), "red")
    assert light.problem == ""


def test_a_lamp_that_was_refused_is_told_and_sent_again() -> None:
    sent: list[tuple[int, bool]] = []
    answers: list[Future[str]] = []

    def send(index: int, on: bool) -> "Future[str]":
        sent.append((index, on))
        answers.append(Future())
        return answers[-1]

    light = StackLight(LightSettings("left", (4, 5, 6)), send)
    wanted = {"red": True, "yellow": False, "green": False}
    light.show(wanted)
    light.show(wanted)
    assert sent == [(4, True), (5, False), (6, False)], "an answer is waited for"
    answers[0].set_exception(RuntimeError("refused"))
    answers[1].set_result("")
    light.show(wanted)
    assert light.problem == "red lamp: refused" or sent[-1] == (4, True)
    assert sent[3:] == [(4, True)]


def test_outputs_that_make_no_sense_are_refused(make_rig) -> None:
    with pytest.raises(InvalidValue, match="output of its own"):
        LightSettings("left", (1, 1, 3))
    with pytest.raises(UnknownName, match="Allowed: left"):
        make_rig().driver.output("middle", 1, True)
