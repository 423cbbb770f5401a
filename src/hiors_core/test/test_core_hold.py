# SPDX-License-Identifier: Apache-2.0
"""A hold ends with the process that gave it."""

import subprocess
import sys
from pathlib import Path

from hiors_core.hold import Hold


def test_a_hold_lasts_until_it_is_cleared(tmp_path: Path):
    hold = Hold(tmp_path)
    assert hold.reason == ""
    hold.set("the spool is full")
    assert Hold(tmp_path).reason == "the spool is full"
    hold.clear()
    hold.clear()
    assert hold.reason == ""


def test_the_hold_of_a_dead_process_counts_no_more(tmp_path: Path):
    code = (
        "from hiors_core.hold import Hold; from pathlib import Path;"
        f"Hold(Path({str(tmp_path)!r})).set('x')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "hold.json").exists()
    assert Hold(tmp_path).reason == ""


def test_a_damaged_hold_is_none(tmp_path: Path):
    (tmp_path / "hold.json").write_text("{")
    assert Hold(tmp_path).reason == ""
