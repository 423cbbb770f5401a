# SPDX-License-Identifier: Apache-2.0
"""Keys become motion since the deadman closed; silence and hand-over open it for good."""

import math

import numpy as np
import pytest

from hiors_console.drive import Drive, DriveSettings
from hiors_console.protocol import DriveWish
from hiors_core.clock import FakeClock
from hiors_core.errors import UnknownName
from hiors_core.geometry import quat_to_rotvec

SETTINGS = DriveSettings(arms=("left", "right"), linear=0.1, angular=1.0, silence=0.3)


def wish(engaged: bool = True, **fields: object) -> DriveWish:
    values = {"arm": "left", "linear": (0.0, 0.0, 0.0), "angular": (0.0, 0.0, 0.0)}
    return DriveWish(**{**values, "gripper": None, "engaged": engaged, **fields})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(10**9)


@pytest.fixture
def drive(clock: FakeClock) -> Drive:
    return Drive(SETTINGS, clock)


def hold(drive: Drive, clock: FakeClock, seconds: float, **fields: object) -> None:
    for _ in range(round(seconds * 30)):
        drive.take(wish(**fields))
        clock.advance(1 / 30)
        drive.tick()


def test_a_key_moves_at_the_set_speed_along_its_axis(drive: Drive, clock: FakeClock) -> None:
    drive.take(wish(False))
    hold(drive, clock, 2.0, linear=(1.0, 0.0, -0.5), angular=(0.0, 0.0, 0.5))
    motion = drive.tick()
    assert motion.engaged
    assert motion.clutch == 1
    np.testing.assert_allclose(motion.pose[:3], [0.2, 0.0, -0.1], atol=1e-6)
    np.testing.assert_allclose(quat_to_rotvec(motion.pose[3:]), [0, 0, 1.0], atol=1e-6)


def test_a_new_grip_begins_a_new_motion(drive: Drive, clock: FakeClock) -> None:
    drive.take(wish(False))
    hold(drive, clock, 1.0, linear=(1.0, 0.0, 0.0))
    drive.take(wish(False))
    assert not drive.tick().engaged
    drive.take(wish())
    motion = drive.tick()
    assert (motion.engaged, motion.clutch) == (True, 2)
    assert not motion.pose[:6].any()


def test_nothing_moves_before_the_deadman_was_seen_open(drive: Drive, clock: FakeClock) -> None:
    hold(drive, clock, 0.5, linear=(1.0, 0.0, 0.0))
    assert not drive.tick().engaged


@pytest.mark.parametrize("fault", ["silence", "release"])
def test_after_a_fault_letting_go_is_due(drive: Drive, clock: FakeClock, fault: str) -> None:
    drive.take(wish(False))
    hold(drive, clock, 0.2)
    if fault == "silence":
        clock.advance(0.31)
    else:
        drive.release("the robot is not yours")
    assert not drive.tick().engaged
    assert drive.reason
    hold(drive, clock, 0.2)
    assert not drive.engaged, "a held key must not close the deadman again"
    drive.take(wish(False))
    drive.take(wish())
    assert drive.engaged


def test_a_late_tick_moves_no_further_than_a_tenth_of_a_second(
    drive: Drive, clock: FakeClock
) -> None:
    drive.take(wish(False))
    drive.take(wish(linear=(1.0, 0.0, 0.0)))
    clock.advance(0.25)
    assert drive.tick().pose[0] == pytest.approx(0.01)


def test_the_gripper_is_left_alone_unless_asked(drive: Drive) -> None:
    drive.take(wish(False, gripper=0.0))
    assert math.isnan(drive.tick().gripper)
    drive.take(wish())
    assert math.isnan(drive.tick().gripper)
    drive.take(wish(gripper=0.0))
    assert drive.tick().gripper == 0.0


def test_arms(drive: Drive, clock: FakeClock) -> None:
    drive.take(wish(False))
    hold(drive, clock, 0.1)
    drive.take(wish(arm="right"))
    assert not drive.engaged, "the other arm needs a grip of its own"
    with pytest.raises(UnknownName, match="left, right"):
        drive.take(wish(arm="middle"))
