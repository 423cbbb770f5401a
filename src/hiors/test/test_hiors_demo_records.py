# SPDX-License-Identifier: Apache-2.0
"""What the demo remembers of its episodes, and when it gives up."""

import re
from pathlib import Path

import pytest

from hiors import places
from hiors.arguments import BringupArgs
from hiors.demo import stages
from hiors.demo.records import CommandLog, EpisodeRow, check_some_ran
from hiors.demo.report import wilson
from hiors.graph import build_graph
from hiors_core.arbiter_settings import ArbiterSettings
from hiors_core.chunk import ChunkRules
from hiors_core.errors import HiorsError, InvalidValue


def rows(*outcomes: str) -> list[EpisodeRow]:
    return [
        EpisodeRow(number=i, outcome=outcome, ending="no executed action for 2.0 s")
        for i, outcome in enumerate(outcomes)
    ]


def test_an_interval_never_leaves_what_is_possible() -> None:
    assert f"{wilson(0, 5)[1]:.0f}" == "0"
    assert wilson(5, 5)[2] == 1.0


def test_six_episodes_without_an_end_in_a_row_are_enough() -> None:
    with pytest.raises(HiorsError, match=r"6 episodes in a row .*no executed action for 2\.0 s"):
        check_some_ran(rows("success", *["none"] * 6))


@pytest.mark.parametrize(
    "outcomes", [(), ("none",) * 5, ("none", "none", "failure", *["none"] * 5)]
)
def test_a_few_lost_episodes_are_borne(outcomes: tuple[str, ...]) -> None:
    check_some_ran(rows(*outcomes))


def test_a_command_that_was_not_heard_is_no_late_tick() -> None:
    log = CommandLog()
    for tick, stamp in ((1, 0), (2, 33_000_000), (5, 133_000_000), (6, 173_000_000)):
        log.add(stamp, tick)
    assert log.periods().tolist() == [0.033, 0.04]
    assert log.largest_gap_ms([100_000_000]) == 100.0


def test_the_evaluation_drives_the_policy_as_the_graph_does(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "policy: {ros__parameters: {replan_interval: 0.2, noise: 0.5}}\n"
        "arbiter: {ros__parameters: {chunk_blend: 0.05, raet: 1.0}}\n"
    )
    how = stages.playing(build_graph(BringupArgs(run_dir=str(tmp_path), params=str(own))))
    assert (how.replan_interval, how.noise, how.arbiter.chunk.blend) == (0.2, 0.5, 0.05)
    args = BringupArgs(run_dir=str(tmp_path), params=str(places.config() / "demo.yaml"))
    how = stages.playing(build_graph(args))
    assert (how.replan_interval, how.noise) == (0.3, 0.0)
    assert how.arbiter == ArbiterSettings(chunk=ChunkRules(blend=0.0))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "policy: {ros__parameters: {replan_interval: soon}}",
            "'replan_interval' of node '/policy' must be a number",
        ),
        ("policy: {ros__parameters: {noise: 1}}", "with a decimal point (1.0, not 1), got 1"),
        ("policy: {ros__parameters: {rtc: 1.0}}", "'rtc' of node '/policy' must be a boolean"),
        (
            "arbiter: {ros__parameters: {chunk_blend: .nan}}",
            "'chunk_blend' of node '/arbiter' must be finite",
        ),
        ("arbiter: {ros__parameters: {chunk_blend: 9.0}}", "must be within 0.0 .. 1.0, got 9.0"),
    ],
)
def test_a_value_that_a_node_would_refuse_costs_no_training(
    given: str, said: str, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(given)
    graph = build_graph(BringupArgs(run_dir=str(tmp_path), params=str(own)))
    with pytest.raises(InvalidValue, match=re.escape(said)):
        stages.playing(graph)
