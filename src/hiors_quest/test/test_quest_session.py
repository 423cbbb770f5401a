# SPDX-License-Identifier: Apache-2.0
"""The clutch closes and opens as it must, on a clock that only the test moves."""

import math
from typing import Any

import numpy as np
import pytest

from hiors_core.clock import NS, FakeClock
from hiors_core.geometry import rotvec_to_quat
from hiors_quest.session import Session
from hiors_quest.values import ArmCommand, Frame, Hand, HandSettings, SessionSettings
from hiors_seat.actions import Action

PERIOD = 1.0 / 72.0


class Headset:
    """Frames of a headset whose right controller is what the test sets it to."""

    def __init__(self, **settings: Any) -> None:
        hands = {"left": HandSettings(arm="left"), "right": HandSettings(arm="right")}
        settings.setdefault("hands", hands)
        self.clock = FakeClock(1_000 * NS)
        self.session = Session(SessionSettings(**settings), self.clock)
        self.session.open("Ada")
        self.sequence, self.time = 0, 5.0
        self.position, self.quat = np.array([0.0, 1.0, -0.3]), np.array([0.0, 0.0, 0.0, 1.0])
        self.squeeze = self.trigger = 0.0
        self.buttons: dict[str, set[str]] = {"left": set(), "right": set()}
        self.emulated, self.lost, self.visible = False, False, True
        self.head: np.ndarray | None = np.array([0.0, 0.0, 0.0, 1.0])

    def _hand(self, name: str) -> Hand:
        right = name == "right"
        return Hand(
            pose=np.concatenate((self.position, self.quat)),
            emulated=self.emulated,
            trigger=self.trigger if right else 0.0,
            squeeze=self.squeeze if right else 0.0,
            buttons=frozenset(self.buttons[name]),
        )

    def frame(self, after: float = PERIOD, delay: float = 0.0) -> tuple[Action, ...]:
        """Send a frame ``after`` seconds of the headset's time, ``delay`` seconds late."""
        self.sequence += 1
        self.time += after
        self.clock.sleep_until(round((995.0 + self.time + delay) * NS))
        return self.session.on_frame(
            Frame(
                sequence=self.sequence,
                time=self.time,
                visible=self.visible,
                head=self.head,
                left=self._hand("left"),
                right=None if self.lost else self._hand("right"),
            )
        )

    @property
    def right(self) -> ArmCommand:
        return next(c for c in self.session.commands() if c.arm == "right")

    @property
    def reason(self) -> str:
        return next(s.reason for s in self.session.statuses() if s.hand == "right")

    def grip(self) -> None:
        """Let go, then close the clutch."""
        for self.squeeze in (0.0, 1.0):
            self.frame()
        assert self.right.engaged


@pytest.fixture
def headset() -> Headset:
    return Headset()


def test_hysteresis(headset: Headset) -> None:
    seen = []
    for headset.squeeze in (0.0, 0.59, 0.6, 0.41, 0.5, 0.4, 0.59, 0.7):
        headset.frame()
        seen.append((headset.right.engaged, headset.right.clutch))
    assert seen == [
        (False, 0),
        (False, 0),
        (True, 1),
        (True, 1),
        (True, 1),
        (False, 1),
        (False, 1),
        (True, 2),
    ]


def test_the_motion_counts_from_where_the_clutch_closed(headset: Headset) -> None:
    headset.position = headset.position + np.array([0.5, 0.0, 0.0])
    headset.grip()
    np.testing.assert_allclose(headset.right.pose, [0, 0, 0, 0, 0, 0, 1], atol=1e-12)
    for _ in range(10):
        headset.position = headset.position + np.array([0.0, 0.0, -0.02])
        headset.frame()
    np.testing.assert_allclose(headset.right.pose[:3], [0.2, 0.0, 0.0], atol=1e-12)
    headset.squeeze = 0.0
    headset.frame()
    command = headset.right
    assert not command.engaged
    np.testing.assert_array_equal(command.pose, [0, 0, 0, 0, 0, 0, 1])
    assert math.isnan(command.gripper)


def test_the_other_arm_stays_as_it_is(headset: Headset) -> None:
    headset.grip()
    left = next(c for c in headset.session.commands() if c.arm == "left")
    assert (left.engaged, left.clutch) == (False, 0)


def test_a_grip_that_was_closed_at_the_start_does_not_engage(headset: Headset) -> None:
    headset.squeeze = 1.0
    headset.frame()
    assert not headset.right.engaged
    headset.grip()


FAULTS = {
    "controller lost": lambda h: setattr(h, "lost", True),
    "tracking lost": lambda h: setattr(h, "emulated", True),
    "session hidden": lambda h: setattr(h, "visible", False),
    "jump": lambda h: setattr(h, "position", h.position + np.array([0.0, 0.051, 0.0])),
    "jump of 0 cm, 36": lambda h: setattr(
        h, "quat", rotvec_to_quat(np.array([0.0, math.radians(36), 0.0]))
    ),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_a_fault_opens_the_clutch_until_the_grip_was_let_go(reason: str) -> None:
    headset = Headset()
    headset.grip()
    FAULTS[reason](headset)
    headset.frame()
    assert not headset.right.engaged
    assert headset.reason.startswith(reason)
    headset.lost = headset.emulated = False
    headset.visible = True
    for _ in range(5):
        headset.frame()
    assert not headset.right.engaged, "a held grip must not close the clutch again"
    headset.grip()
    assert headset.right.clutch == 2
    np.testing.assert_allclose(headset.right.pose[:3], 0.0, atol=1e-12)


def test_steps_below_the_guards_pass(headset: Headset) -> None:
    headset.grip()
    headset.position = headset.position + np.array([0.0, 0.049, 0.0])
    headset.quat = rotvec_to_quat(np.array([0.0, math.radians(34), 0.0]))
    headset.frame()
    assert headset.right.engaged


def test_silence_opens_the_clutch_after_200_ms(headset: Headset) -> None:
    headset.grip()
    headset.clock.advance(0.199)
    assert headset.right.engaged
    headset.clock.advance(0.002)
    assert not headset.right.engaged
    headset.time += 0.2
    headset.frame()
    assert not headset.right.engaged
    headset.grip()


def test_a_burst_after_a_gap_does_not_move_the_arm(headset: Headset) -> None:
    headset.grip()
    for i in range(20):
        headset.position = headset.position + np.array([0.0, 0.0, -0.01])
        headset.frame(delay=max(0.0, 0.3 - i * PERIOD))
        assert not headset.right.engaged
    assert headset.reason in {"frames late", "no frames"}


def test_frames_that_lag_for_long_count_as_silence(headset: Headset) -> None:
    headset.grip()
    late = 0.0
    while headset.right.engaged and late < 1.0:
        late += 0.01
        headset.frame(delay=late)
    assert 0.2 < late < 0.23
    assert headset.reason == "frames late"


def test_a_constant_delay_between_the_clocks_is_no_lag(headset: Headset) -> None:
    headset.time += 0.0
    for _ in range(3):
        headset.frame(delay=40.0)
    headset.squeeze = 1.0
    headset.frame(delay=40.0)
    assert headset.right.engaged


def test_commands_carry_the_time_of_capture(headset: Headset) -> None:
    headset.grip()
    headset.frame(delay=0.05)
    assert headset.clock.now() - headset.right.captured == pytest.approx(0.05 * NS, abs=1e6)


def test_old_and_repeated_frames_are_dropped(headset: Headset) -> None:
    headset.grip()
    headset.position = headset.position + np.array([0.0, 0.0, -0.01])
    headset.sequence -= 1
    headset.frame()
    assert headset.session.dropped == 1
    np.testing.assert_allclose(headset.right.pose[:3], 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("hand", "button", "action"),
    [
        ("right", "a", Action.SUCCESS),
        ("right", "b", Action.FAILURE),
        ("left", "x", Action.REZERO),
        ("left", "y", Action.TOGGLE),
        ("left", "stick", Action.TOGGLE),
        ("right", "stick", Action.TOGGLE),
    ],
)
def test_a_button_acts_once_when_it_goes_down(hand: str, button: str, action: Action) -> None:
    headset = Headset()
    headset.frame()
    headset.buttons[hand] = {button}
    assert headset.frame() == (action,)
    assert headset.frame() == ()
    headset.buttons[hand] = set()
    assert headset.frame() == ()


def test_a_button_held_when_it_comes_into_sight_does_not_act(headset: Headset) -> None:
    headset.buttons["right"] = {"a"}
    assert headset.frame() == ()
    headset.visible = False
    headset.frame()
    headset.visible = True
    assert headset.frame() == ()


def test_rezero_takes_the_look_as_forward_and_opens_the_clutch(headset: Headset) -> None:
    headset.grip()
    headset.head = rotvec_to_quat(np.array([0.0, math.pi / 2, 0.0]))
    headset.buttons["left"] = {"x"}
    headset.frame()
    assert not headset.right.engaged
    headset.grip()
    headset.position = headset.position + np.array([-0.04, 0.0, 0.0])
    headset.frame()
    np.testing.assert_allclose(headset.right.pose[:3], [0.04, 0.0, 0.0], atol=1e-12)


def test_the_gripper_follows_at_once_when_it_is_open(headset: Headset) -> None:
    headset.session.set_gripper("right", 1.0)
    headset.grip()
    assert headset.right.gripper == 1.0
    headset.trigger = 0.75
    headset.frame()
    assert headset.right.gripper == pytest.approx(0.25)


def test_a_gripper_that_holds_something_waits_for_the_trigger(headset: Headset) -> None:
    headset.session.set_gripper("right", 0.4)
    headset.grip()
    seen = []
    for headset.trigger in (0.0, 0.5, 0.59, 0.61, 1.0, 0.2):
        headset.frame()
        seen.append(headset.right.gripper)
    np.testing.assert_allclose(seen, [math.nan] * 3 + [0.39, 0.0, 0.8])


def test_a_shut_gripper_is_reached_though_trigger_and_gripper_have_play(headset: Headset) -> None:
    headset.session.set_gripper("right", -0.01)
    headset.trigger = 0.93
    headset.grip()
    assert headset.right.gripper == pytest.approx(0.07)


def test_without_an_operator_nothing_is_asked(headset: Headset) -> None:
    headset.grip()
    headset.session.close()
    assert headset.session.commands() == ()
    headset.session.open("Bob")
    headset.frame()
    assert not headset.right.engaged
    assert headset.right.clutch == 1, "the count goes on, so that anchors stay apart"


def test_the_end_of_the_ar_session_opens_the_clutch(headset: Headset) -> None:
    headset.grip()
    headset.session.end()
    assert not headset.right.engaged
    assert headset.reason == "not in AR"


def test_a_controller_without_an_arm_drives_nothing() -> None:
    headset = Headset(hands={"left": HandSettings(arm="only")})
    headset.frame()
    assert [c.arm for c in headset.session.commands()] == ["only"]


def test_gains_and_yaw_reach_the_motion() -> None:
    hands = {"right": HandSettings(arm="right", yaw=math.pi)}
    headset = Headset(hands=hands, position_gain=2.0, accept_emulated=True)
    headset.emulated = True
    headset.grip()
    headset.position = headset.position + np.array([0.0, 0.0, -0.04])
    headset.frame()
    np.testing.assert_allclose(headset.right.pose[:3], [-0.08, 0.0, 0.0], atol=1e-12)


def test_random_play_never_steps_and_never_drives_with_an_open_grip() -> None:
    random = np.random.default_rng(7)
    headset = Headset()
    before: ArmCommand | None = None
    for _ in range(5000):
        headset.squeeze = float(random.choice([0.0, 0.5, 1.0]))
        headset.emulated = random.random() < 0.02
        headset.lost = random.random() < 0.02
        step = random.choice([0.01, 0.2], p=[0.97, 0.03])
        headset.position = headset.position + random.normal(size=3) * step / 2
        headset.frame(after=float(random.choice([PERIOD, 0.5], p=[0.97, 0.03])))
        now = headset.right
        if now.engaged:
            assert headset.squeeze > 0.4
            same = before is not None and before.engaged and before.clutch == now.clutch
            reach = np.linalg.norm(now.pose[:3] - (before.pose[:3] if same and before else 0.0))
            assert reach <= 0.05 + 1e-9
        before = now
    assert headset.right.clutch > 100
