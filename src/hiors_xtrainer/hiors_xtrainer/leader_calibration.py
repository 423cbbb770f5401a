# SPDX-License-Identifier: Apache-2.0
"""Finds a leader's zeros and the ends of its handle, and keeps them in a YAML file.

The file holds one section an arm and is replaced as a whole, or not at all.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hiors_core.checked import read_yaml, section
from hiors_core.durable import write_atomic
from hiors_core.errors import InvalidValue, StateError
from hiors_core.robot import Arm
from hiors_xtrainer.leader_mapping import Ticks
from hiors_xtrainer.leader_settings import TICK, TURN, LeaderCalibration

_SAMPLES = 40
_PAUSE = 0.01
_STILL = 12
"""Largest spread of a joint's samples that still is a hand at rest [ticks]."""
_KEYS = {"offsets", "gripper_closed", "gripper_opened"}

Read = Callable[[], tuple[Ticks, int]]


def still_position(read: Read) -> tuple[Ticks, int]:
    """Return joints (n,) and handle [ticks] as the median of many readings.

    Raises:
        StateError: something moved meanwhile.
    """
    samples = []
    for _ in range(_SAMPLES):
        joints, handle = read()
        samples.append([*joints, handle])
        time.sleep(_PAUSE)
    table = np.array(samples, dtype=np.int64)
    # A joint at the seam of its turn shows 0 and 4095 in turn.
    table = table[0] + (table - table[0] + TURN // 2) % TURN - TURN // 2
    spread = np.ptp(table, axis=0)
    if spread.max() > _STILL:
        raise StateError(
            f"The leader moved by {int(spread.max())} ticks while it was read, at most {_STILL}"
            " is allowed. Hold it still and try again."
        )
    median = np.rint(np.median(table, axis=0)).astype(np.int64)
    return median[:-1], int(median[-1])


def calibrate(
    arm: Arm, signs: tuple[int, ...], joints: Ticks, opened: int, closed: int
) -> LeaderCalibration:
    """Return the calibration of a leader that stood at the arm's home position.

    Args:
        joints: (n,) servo positions there. opened, closed: handle let go, and pressed [ticks].
    """
    zero = np.rint(joints - np.array(signs) * arm.home / TICK).astype(int)
    stroke = (opened - closed + TURN // 2) % TURN - TURN // 2
    return LeaderCalibration(
        offsets=tuple(int(v) % TURN for v in zero),
        gripper_closed=closed,
        gripper_opened=closed + stroke,
    )


def load_calibrations(path: Path) -> dict[str, LeaderCalibration]:
    """Read the calibration of every arm in the file; none when there is no file."""
    if not path.exists():
        return {}
    data = read_yaml(path, "calibration file")
    if not isinstance(data, Mapping):
        raise InvalidValue(f"{path} must map arms to {', '.join(sorted(_KEYS))}")
    return {str(arm): _section(path, str(arm), part) for arm, part in data.items()}


def save_calibration(path: Path, arm: str, calibration: LeaderCalibration) -> None:
    """Put one arm's calibration into the file, beside those of the others."""
    known = load_calibrations(path) | {arm: calibration}
    sections = {
        name: {
            "offsets": list(c.offsets),
            "gripper_closed": c.gripper_closed,
            "gripper_opened": c.gripper_opened,
        }
        for name, c in sorted(known.items())
    }
    head = (
        "# Leader arms, written by `hiors calibrate leader`: positions of the servos in ticks.\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    text = head + yaml.safe_dump(sections, default_flow_style=None, sort_keys=False)
    write_atomic(path, text.encode())


def _section(path: Path, arm: str, part: Any) -> LeaderCalibration:
    where = f"{path}: {arm}"
    part = section(part, where, _KEYS)
    offsets = part["offsets"]
    numbers = [*offsets, part["gripper_closed"], part["gripper_opened"]]
    if any(isinstance(n, bool) or not isinstance(n, int) for n in numbers):
        raise InvalidValue(f"{where}: every value must be a whole number of ticks, got {numbers}")
    return LeaderCalibration(
        offsets=tuple(offsets),
        gripper_closed=part["gripper_closed"],
        gripper_opened=part["gripper_opened"],
    )
