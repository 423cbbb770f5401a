# SPDX-License-Identifier: Apache-2.0
"""How fast the robot holds after each fault, by what arrives at the arm's motion port.

Arbiter and driver run as processes of their own; the arm is the emulated controller in this
process, a person's device is a publisher here. While the person moves the arm a fault is caused;
the time counts from there to the last ServoJ that differs from the one before. Then the cause goes
away, the person keeps moving, and nothing may move until somebody asks for it. Where the bounds
come from: docs/explanation/safety.md. Exit code 3 when one is not kept.
``python benchmarks/fault_reaction.py [--repeats N] [--faults NAME ...] [--json FILE]``
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _fault_rig import CLOCK, Rig, wait

from hiors_core.authority import Request

WATCH = 0.4
"""How long nothing may move, with the cause and without it [s]."""
MOVED = 1.2
"""How far the stream may begin from where the arm stands [deg]; the driver's 0.02 rad."""


@dataclass(frozen=True)
class Fault:
    """How a fault comes and goes.

    Attributes:
        bound: within which the set-points must stand still [s].
        cause: makes it happen; returns since when [ns]. undo: takes the cause away.
        said: what control/state must then give as the reason; "" where nothing is asked.
    """

    what: str
    bound: float
    cause: Callable[[Rig], int]
    undo: Callable[[Rig], None]
    said: str = ""


def _at_arm(action: Callable[[Any], object]) -> Callable[[Rig], int]:
    def cause(rig: Rig) -> int:
        now = CLOCK.now()
        rig.arm.call(lambda c: action(c.state))
        return now

    return cause


def _stop(rig: Rig) -> int:
    now = CLOCK.now()
    rig.person.ask(Request.STOP)
    return now


def _recover(rig: Rig) -> None:
    rig.arm.call(lambda c: c.state.release_estop())
    rig.person.ask_driver("clear_error")
    rig.person.ask_driver("enable")


def _restart(name: str) -> Callable[[Rig], None]:
    def undo(rig: Rig) -> None:
        before = rig.arm.call(lambda c: c.commands["servoj"])
        rig.start(name)
        wait(lambda: rig.arm.call(lambda c: c.commands["servoj"]) > before, f"the new {name}")
        wait(lambda: rig.ready(name), f"the new {name}")

    return undo


def _hang(rig: Rig) -> int:
    rig.arm.faults.stall_all()
    return CLOCK.now()


def _unhang(rig: Rig) -> None:
    for channel in (rig.arm.faults.dashboard, rig.arm.faults.feedback):
        channel.stall = False
    rig.person.ask_driver("enable")


def _speak_again(rig: Rig) -> None:
    rig.person.silent = False


FAULTS = {
    "deadman": Fault("deadman released", 0.2, lambda rig: rig.person.let_go(), lambda _: None),
    "silence": Fault("device silent", 0.4, lambda rig: rig.person.fall_silent(), _speak_again),
    "arbiter": Fault("arbiter killed", 0.3, lambda rig: rig.kill("arbiter"), _restart("arbiter")),
    "driver": Fault("driver killed", 0.1, lambda rig: rig.kill("driver"), _restart("driver")),
    "alarm": Fault(
        "controller alarm", 0.1, _at_arm(lambda s: s.raise_alarm(117)), _recover, "collision"
    ),
    "button": Fault(
        "e-stop button", 0.1, _at_arm(lambda s: s.press_estop()), _recover, "e-stop button"
    ),
    "stop": Fault("STOP requested", 0.15, _stop, lambda _: None),
    "hang": Fault("controller silent", 0.6, _hang, _unhang, "feedback"),
}

KILLS = ("arbiter", "driver")
"""Caused half as often: a process takes seconds to come back."""


def once(rig: Rig, fault: Fault) -> tuple[float, float]:
    """Cause the fault once; the reaction [s], and how far the set-points moved unasked [deg]."""
    rig.drive()
    since = fault.cause(rig)
    time.sleep(max(fault.bound, WATCH))
    wait(rig.still, "the arm to hold")
    if fault.said:
        wait(lambda: fault.said in rig.person.reason, f"'{fault.said}' on control/state")
    stamps = rig.changes(since)
    last = stamps[-1] if stamps else since
    held = CLOCK.now()
    rig.held = rig.arm.call(lambda c: np.degrees(c.plant.read().position))
    fault.undo(rig)
    time.sleep(WATCH)
    return (last - since) / 1e9, rig.strayed(held)


def measure(names: list[str], repeats: int) -> dict[str, dict[str, Any]]:
    """Return the figures of each fault."""
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="hiors-faults-") as folder:
        rig = Rig(Path(folder))
        try:
            for name in names:
                times = repeats if name not in KILLS else -(-repeats // 2)
                results = [once(rig, FAULTS[name]) for _ in range(times)]
                seconds = [seconds for seconds, _ in results]
                p50, p95 = np.percentile(seconds, (50, 95))
                moved = max(moved for _, moved in results)
                figures[name] = {
                    "what": FAULTS[name].what,
                    "repeats": times,
                    "p50_ms": round(1e3 * float(p50)),
                    "p95_ms": round(1e3 * float(p95)),
                    "max_ms": round(1e3 * max(seconds)),
                    "bound_ms": round(1e3 * FAULTS[name].bound),
                    "moved_unasked_deg": round(moved, 2),
                    "pass": bool(p95 <= FAULTS[name].bound and moved < MOVED),
                }
                print(_row(figures[name]), flush=True)
            rig.drive()
        finally:
            rig.close()
    return figures


def _row(f: dict[str, Any]) -> str:
    numbers = " | ".join(str(f[k]) for k in ("bound_ms", "p50_ms", "p95_ms", "max_ms"))
    verdict = "yes" if f["pass"] else "NO"
    return f"| {f['what']} | {f['repeats']} | {numbers} | {f['moved_unasked_deg']} | {verdict} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--repeats",
        type=int,
        default=20,
        help="times each fault is caused (20), half as often where a process is killed",
    )
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    print("| fault | n | bound [ms] | p50 | p95 | max | moved unasked [deg] | pass |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    figures = measure(options.faults, options.repeats)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(f["pass"] for f in figures.values()) else 3


if __name__ == "__main__":
    sys.exit(main())
