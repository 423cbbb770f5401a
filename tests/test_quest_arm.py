# SPDX-License-Identifier: Apache-2.0
"""A hand in an emulated headset drives the simulated arm, through everything that is between."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "quest_latency.py"
BROWSER = BENCHMARK.parents[1] / "src" / "hiors_seat" / "test" / "chromium.py"


def browser_module() -> Any:
    spec = importlib.util.spec_from_file_location("chromium", BROWSER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BROWSERS = browser_module()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    *BROWSERS.MARKS,
]


def test_the_tool_goes_20_cm_away_and_back_and_only_while_gripped(
    ros_domain: int, tmp_path: Path
) -> None:
    out = tmp_path / "figures.json"
    words = [sys.executable, str(BENCHMARK), "--moves", "8", "--json", str(out)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280, check=False)
    # A loaded machine may miss the bounds in time; those are the benchmark's to hold.
    assert done.returncode in (0, 3), done.stdout + done.stderr
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["error"]["away_mm"] < 1.0
    assert figures["error"]["back_mm"] < 1.0
    for wave in figures["clutch_open"]:
        assert wave["set_points"] > 5
        assert wave["set_point_change_deg"] < 1e-6
        assert wave["tool_change_mm"] < 0.1
    assert 0.0 < figures["onset_ms"]["p50"] <= figures["onset_ms"]["p95"]
