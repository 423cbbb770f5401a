# SPDX-License-Identifier: Apache-2.0
"""What the demo remembers of its episodes, and when it gives up."""

import pytest
import yaml

from hiors import places
from hiors.demo import stages
from hiors.demo.records import CommandLog, EpisodeRow, check_some_ran
from hiors.demo.report import wilson
from hiors.places import config_file
from hiors_core.errors import HiorsError
from hiors_learner.config import load_settings


def rows(*outcomes: str) -> list[EpisodeRow]:
    return [
        EpisodeRow(number=i, outcome=outcome, ending="no executed action for 2.0 s")
        for i, outcome in enumerate(outcomes)
    ]


def test_an_interval_never_leaves_what_is_possible() -> None:
    assert f"{wilson(0, 5)[1]:.0f}" == "0"
    assert wilson(5, 5)[2] == 1.0


def test_three_episodes_without_an_end_in_a_row_are_enough() -> None:
    with pytest.raises(HiorsError, match=r"3 episodes in a row .*no executed action for 2\.0 s"):
        check_some_ran(rows("success", "none", "none", "none"))


@pytest.mark.parametrize("outcomes", [(), ("none", "none"), ("none", "none", "failure", "none")])
def test_a_few_lost_episodes_are_borne(outcomes: tuple[str, ...]) -> None:
    check_some_ran(rows(*outcomes))


def test_a_command_that_was_not_heard_is_no_late_tick() -> None:
    log = CommandLog()
    for tick, stamp in ((1, 0), (2, 33_000_000), (5, 133_000_000), (6, 173_000_000)):
        log.add(stamp, tick)
    assert log.periods().tolist() == [0.033, 0.04]
    assert log.largest_gap_ms([100_000_000]) == 100.0


def test_the_evaluation_drives_the_policy_as_the_graph_does() -> None:
    laid = yaml.safe_load((places.config() / "demo.yaml").read_text(encoding="utf-8"))
    policy = laid["policy"]["ros__parameters"]
    spacing = load_settings(config_file("learner", "demo")).policy.dt
    assert pytest.approx(policy["replan_interval"] / spacing) == stages.EXECUTE
    assert policy["noise"] == stages.NOISE
    assert laid["arbiter"]["ros__parameters"]["chunk_blend"] == stages.BLEND
