# SPDX-License-Identifier: Apache-2.0
"""Tables and pictures from records that are made up."""

import re
from pathlib import Path

import numpy as np
import pytest

from hiors_bench import pictures, tables
from hiors_bench.arms import ARMS

RATES = {
    "hi_ors": 0.9, "bc_initial": 0.5, "bc_human": 0.75, "bc_total": 0.8, "hil_serl": 0.2,
    "qc": 0.6, "no_correction": 0.6, "no_noop_filter": 0.8, "seldom_watched": 0.7,
    "no_outcome_filter": 0.5,
}  # fmt: skip
LIMITS = (7.5, 12.0, 30.0)


def record(arm: str, seed: int, n: int = 100) -> dict:
    rate, rng = RATES[arm], np.random.default_rng([seed, len(arm)])
    k = int(rng.binomial(n, rate)) if n else 0
    run = {
        "task": "insert_moisturizer",
        "arm": arm,
        "seed": seed,
        "success": {"k": k, "n": n},
        "within": [
            {"seconds": s, "k": min(n, int(k * f)), "n": n}
            for s, f in zip(LIMITS, (0.8, 1.0, 1.1), strict=True)
        ],
        "frames": 3600 + seed,
        "human_frames": 900,
        "steps": 3600,
        "cpu_s": 80.0,
        "status": "finished",
        "curve": [
            {"frames": int(3600 * s), "steps": 0, "k": int(20 * rate * s), "n": 20}
            for s in (0.0, 0.5, 1.0)
        ],
    }
    if ARMS[arm].probes:
        run["recovery"] = [
            {"probe": p, "seconds": 30.0, "k": int(10 * rate), "n": 10}
            for p in ("slipped", "pushed")
        ]
        places = [(x, y) for x in (-0.2, 0.0, 0.2) for y in (-0.2, 0.0, 0.2)]
        run["spatial"] = [
            {"x": x, "y": y, "inside": x == y == 0.0, "k": int(rng.random() < rate), "n": 1}
            for x, y in places
        ]
    else:
        run["within"] = run["within"][:2]
    return run


@pytest.fixture
def runs() -> list[dict]:
    return [record(arm, seed) for arm in RATES for seed in range(3)]


def row(text: str, title: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_comparison_has_counts_intervals_and_price(runs: list[dict]) -> None:
    found = tables.by_arm(runs, "insert_moisturizer")
    text = tables.comparison(found, ["hi_ors", "bc_initial"])
    k = sum(r["success"]["k"] for r in runs if r["arm"] == "hi_ors")
    cells = row(text, "Hi-ORS")
    assert cells[1] == f"{k}/300 {100 * k / 300:.0f} %"
    assert re.fullmatch(r"\[\d+, \d+\]", cells[2])
    assert cells[4] == ""
    assert cells[5:] == ["900", "3601", "3600", "80"]
    ahead = re.fullmatch(
        r"\+(\d+) \[\+(\d+), \+(\d+)\]", row(text, "BC, initial demonstrations")[4]
    )
    assert ahead
    mean, low, high = map(int, ahead.groups())
    assert low < mean < high


def test_limits_show_the_gain_of_time(runs: list[dict]) -> None:
    found = tables.by_arm(runs, "insert_moisturizer")
    text = tables.limits(found, ["hi_ors", "qc"])
    assert row(text, "arm")[1:] == ["7.5 s", "12 s", "30 s", "last minus first"]
    assert row(text, "Q-Chunking (best of n)")[3] == ""
    assert re.fullmatch(r"\+\d+", row(text, "Hi-ORS")[-1])
    assert row(text, "Q-Chunking (best of n)")[-1] == ""


def test_an_ablation_stands_beside_the_arm_that_it_changes(runs: list[dict]) -> None:
    found = tables.by_arm(runs, "insert_moisturizer")
    text = tables.ablations(found, ["no_correction", "no_outcome_filter"])
    assert row(text, "Hi-ORS")[3:] == ["", "", ""]
    assert row(text, "no human correction")[3] == "Hi-ORS"
    beside = row(text, "person seldom watches, no outcome filter")
    assert beside[3] == "person seldom watches"
    assert beside[4].startswith("-")


def test_differences_use_the_seeds_that_both_arms_have(runs: list[dict]) -> None:
    some = [r for r in runs if r["arm"] != "bc_initial" or r["seed"] == 1]
    found = tables.by_arm(some, "insert_moisturizer")
    assert "+" in row(tables.comparison(found, ["bc_initial"]), "BC, initial demonstrations")[4]


def test_the_report_names_command_tables_and_what_is_odd(runs: list[dict]) -> None:
    runs[0]["status"] = "none of 4 episodes was accepted, most often: return is below m"
    text = tables.report(runs, "hiors bench learning --seeds 0-2")
    for part in (
        "`hiors bench learning --seeds 0-2`", "## insert_moisturizer", "### Comparison",
        "### Success within a time limit", "### After mishaps", "### Starts on a grid",
        "### Ablations", "### Remarks", "hi_ors, seed 0: none of 4 episodes was accepted",
    ):  # fmt: skip
        assert part in text


def test_a_report_of_nothing_has_no_table() -> None:
    assert "|" not in tables.report([], "hiors bench learning")


def test_no_episode_is_no_division_by_zero(tmp_path: Path) -> None:
    nothing = [record(arm, 0, n=0) for arm in ("hi_ors", "no_correction")]
    assert "–" in tables.report(nothing, "x")
    assert pictures.draw(nothing, tmp_path)


def test_pictures_are_drawn_for_what_was_measured(runs: list[dict], tmp_path: Path) -> None:
    made = pictures.draw(runs, tmp_path)
    kinds = ("curves", "scaling", "spatial", "recovery", "ablations")
    assert [p.name for p in made] == [f"insert_moisturizer-{kind}.png" for kind in kinds]
    assert all(p.stat().st_size > 5000 for p in made)
    compared = [r for r in runs if r["arm"] in ("hi_ors", "hil_serl")]
    names = [p.stem for p in pictures.draw(compared, tmp_path)]
    assert "insert_moisturizer-curves" in names
    assert "insert_moisturizer-ablations" not in names, "there is nothing to compare"
    only = [r for r in runs if r["arm"] == "hil_serl"]
    assert [p.stem for p in pictures.draw(only, tmp_path)] == ["insert_moisturizer-curves"]
