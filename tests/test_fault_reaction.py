# SPDX-License-Identifier: Apache-2.0
"""Every fault ends in a hold, and nothing moves until somebody asks for it: with real processes,
by what arrives at the arm.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "fault_reaction.py"
FAULTS = {"deadman", "silence", "arbiter", "driver", "alarm", "button", "stop", "hang"}
WITHIN = 1.2
"""How far the stream may begin from where the arm stands [deg]."""


def test_each_fault_holds_the_arm_until_somebody_drives_again(
    ros_domain: int, tmp_path: Path
) -> None:
    out = tmp_path / "figures.json"
    words = [sys.executable, str(BENCHMARK), "--repeats", "1", "--json", str(out)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False)
    # A loaded machine may miss the bounds in time; those are the benchmark's to hold.
    assert done.returncode in (0, 3), done.stdout + done.stderr
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert set(figures) == FAULTS
    for figure in figures.values():
        assert figure["moved_unasked_deg"] < WITHIN, figure
