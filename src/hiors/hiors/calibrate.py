# SPDX-License-Identifier: Apache-2.0
"""`hiors calibrate leader ARM`: finds where a leader arm's zeros and the ends of its handle are.

You hold the leader in the robot's home position, then press its handle; nothing moves by itself.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hiors.options import Parser
from hiors.places import config_file
from hiors_core.errors import HiorsError, StateError
from hiors_core.robot import Arm, load_robot

DEFAULT_FILE = "~/.ros/hiors/leader.yaml"
_TRIES = 5


def main(argv: Sequence[str]) -> int:
    """Calibrate one leader; 0 when the file has been written."""
    options = _parser().parse_args(argv)
    robot_file = config_file("robots", options.robot)
    arm = load_robot(robot_file).arm(options.arm)
    path = Path(options.file).expanduser()
    _check_writable(path)
    _calibrate(arm, _parameters(robot_file, options), path)
    return 0


def _parser() -> Parser:
    parser = Parser(prog="hiors calibrate", description=__doc__)
    parser.add_argument("device", choices=("leader",), help="what to calibrate")
    parser.add_argument("arm", help="arm of the leader, as in the robot file: left, right")
    parser.add_argument("--robot", default="xtrainer", help="file in config/robots")
    parser.add_argument("--port", help="serial port; left out: that of the robot file")
    parser.add_argument("--baudrate", type=int, default=0, help="0: 2000000, then 1000000")
    parser.add_argument("--ids", type=int, nargs="+", default=(), help="servo of each joint")
    parser.add_argument("--signs", type=int, nargs="+", default=(), help="1 or -1 for each joint")
    parser.add_argument("--gripper-id", type=int, default=0, help="servo of the handle")
    parser.add_argument("--second-ids", type=int, nargs="+", default=(), help="-1: none")
    parser.add_argument("--read-address", type=int, default=132, help="132 or 140")
    parser.add_argument("--file", default=DEFAULT_FILE, help="file to write")
    return parser


def _parameters(robot_file: Path, options: argparse.Namespace) -> Any:
    from hiors_xtrainer.leader_parameters import LeaderArmParameters

    section = yaml.safe_load(robot_file.read_text(encoding="utf-8")).get("leader", {})
    prefix = f"{options.arm}."
    found: dict[str, Any] = {
        name.removeprefix(prefix): tuple(value) if isinstance(value, list) else value
        for name, value in section.get("parameters", {}).items()
        if name.startswith(prefix)
    }
    given = {
        "port": options.port,
        "baudrate": options.baudrate,
        "ids": tuple(options.ids),
        "signs": tuple(options.signs),
        "gripper_id": options.gripper_id,
        "second_ids": tuple(options.second_ids),
        "read_address": options.read_address,
    }
    found |= {name: value for name, value in given.items() if value}
    if "port" not in found:
        raise HiorsError(f"{robot_file} has no {prefix}port in its leader section: give --port.")
    return LeaderArmParameters(**found)


def _check_writable(path: Path) -> None:
    """Refuse a file that cannot be written before a person has held an arm for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HiorsError(f"{path.parent} cannot be made ({error.strerror}); see --file.") from None
    if not os.access(path.parent, os.W_OK):
        raise HiorsError(f"{path.parent} cannot be written to; see --file.")


def _calibrate(arm: Arm, parameters: Any, path: Path) -> None:
    from hiors_xtrainer.leader_bus import LeaderBus
    from hiors_xtrainer.leader_calibration import (
        calibrate,
        load_calibrations,
        save_calibration,
    )
    from hiors_xtrainer.leader_parameters import leader_settings
    from hiors_xtrainer.leader_settings import TURN

    settings = leader_settings(arm, parameters)
    before = load_calibrations(path).get(arm.name)
    bus = LeaderBus(settings)
    try:
        degrees = ", ".join(f"{v:.0f}" for v in np.degrees(arm.home))
        print(f"{settings.port}: every servo answers at {bus.baudrate} baud.")
        _wait(f"Hold the {arm.name} leader in the home position ({degrees}°), handle let go.")
        joints, opened = _still(bus)
        _wait("Press the handle and keep it pressed.")
        _, closed = _still(bus)
    finally:
        bus.close()
    found = calibrate(arm, settings.signs, joints, opened, closed)
    save_calibration(path, arm.name, found)
    print(
        f"offsets {list(found.offsets)}, handle {found.gripper_closed} .. {found.gripper_opened}"
    )
    if before is not None and len(before.offsets) == len(found.offsets):
        turned = (np.subtract(found.offsets, before.offsets) + TURN // 2) % TURN - TURN // 2
        worst = int(np.abs(turned).argmax())
        print(
            f"The zero of {arm.joints[worst]} is {abs(turned[worst]) * 360 / TURN:.1f}° from the"
            " one before, that of the others less: only a leader held otherwise, or taken apart,"
            " changes by more than a few degrees."
        )
    print(f"Written to {path}; a leader_node that runs reads it at its next start.")


def _wait(text: str) -> None:
    print(text)
    try:
        input("  Enter when ready: ")
    except EOFError:
        raise HiorsError("Nobody answered: calibrate in a terminal.") from None


def _still(bus: Any) -> tuple[Any, int]:
    """Read a position that stands still; a hand may need more than one try."""
    from hiors_xtrainer.leader_calibration import still_position

    for _ in range(_TRIES - 1):
        try:
            return still_position(lambda: bus.read(_TRIES))
        except StateError as error:
            print(f"  {error}")
    return still_position(lambda: bus.read(_TRIES))
