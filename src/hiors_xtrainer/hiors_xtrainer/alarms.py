# SPDX-License-Identifier: Apache-2.0
"""What the alarm ids of GetErrorID() mean, for those that a person at the arm meets."""

import re

_JOINT_RANGES = (
    (48, 53, "joint {} is too fast"),
    (54, 59, "joint {} lags behind its target"),
    (80, 85, "joint {} loses steps"),
    (225, 230, "joint {} differs too much from its tracked target"),
)
_TEXTS = {
    -3: "the safety skin felt something",
    -2: "collision detected",
    16: "shoulder singularity: the wrist is over the base",
    17: "no joint solution for the pose",
    37: "a joint target jumps by more than 180 degrees",
    116: "the e-stop button is pressed: release it, then clear the error",
    117: "collision detected",
    119: "the safety skin felt something",
    134: "joints differ too much from their targets at enabling",
    165: "emergency stop by command: power on, clear the error, enable",
    12296: "the arm is powered off",
}
_LISTS = re.compile(r"\[([^\[\]]*)\]")


def text(alarm: int) -> str:
    """Return the id with what it means."""
    return f"{_meaning(alarm)} (alarm {alarm})"


def _meaning(alarm: int) -> str:
    if alarm in _TEXTS:
        return _TEXTS[alarm]
    for first, last, sentence in _JOINT_RANGES:
        if first <= alarm <= last:
            return sentence.format(alarm - first + 1)
    if 64 <= alarm <= 75:
        side = "upper" if alarm % 2 == 0 else "lower"
        return f"joint {(alarm - 64) // 2 + 1} is beyond its {side} limit"
    return "see the maker's alarm list"


def texts(value: str) -> list[str]:
    """Read the value of GetErrorID(): the controller's list, then one list a servo."""
    found = []
    for index, part in enumerate(_LISTS.findall(value)):
        ids = [int(number) for number in re.findall(r"-?\d+", part)]
        where = "" if index == 0 else f"servo {index}: "
        # A servo's ids are of another table than the controller's.
        found += [text(i) if index == 0 else f"{where}servo alarm {i}" for i in ids]
    return found
