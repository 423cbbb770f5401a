# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation: the numbers, the ranking, the report, and what it refuses."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from data_samples import ROOT, robot

from hiors_core.action_space import ActionMapper
from hiors_core.authority import Authority
from hiors_core.episode import transitions
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.label import Outcome, judge
from hiors_core.store import EpisodeStore
from hiors_data.offline.episodes import load_judged, weigh
from hiors_data.offline.errors import crossing, errors_of
from hiors_data.offline.evaluation import Candidate, evaluate, load_candidates, overall, rank
from hiors_data.offline.prediction import Predicted, predict_episode
from hiors_data.offline.report import check_target, read_success, write_report
from hiors_data.offline.statistics import bootstrap, interval, ranks, spearman
from hiors_policy.checkpoint import save_checkpoint
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.network import NetworkSettings
from hiors_policy.policy import PolicySpec

sys.path.insert(0, str(ROOT / "src/hiors_core/test"))
from episode_samples import record


class Oracle:
    """Predicts what was executed, shifted by a constant [m] along x."""

    def __init__(self, store: EpisodeStore, kind: str = "ee", shift: float = 0.0) -> None:
        mapper = ActionMapper(robot())
        names = tuple(f"c{i}" for i in range(7))
        self.spec = PolicySpec(
            robot="xtrainer", kind=kind, names=names, units=("rad",) * 7, horizon=4, dt=0.1
        )
        self.mapper, self.answers = mapper, {}
        for one in load_judged(store.root):
            for t in transitions(one.episode, kind, 4, 0.1, robot()):
                chunk = t.actions.astype(np.float64)
                chunk[:, 0] += shift
                self.answers[t.observation.stamp] = chunk

    def predict(self, observation, instruction="", seed=None):
        return self.answers.get(observation.stamp)

    def predict_batch(self, observations, instructions=(), seeds=None):
        return np.stack([self.answers[o.stamp] for o in observations])


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    """One success driven by both, one failure driven by the policy."""
    store = EpisodeStore(tmp_path / "store")
    both = lambda t: Authority.HUMAN if t > 1.0 else Authority.POLICY  # noqa: E731
    start = 1_700_000_000 * 10**9
    record(store, "good", authority=both)
    record(store, "bad", start=start + 10**12)
    store.set_label("good", judge(Outcome.SUCCESS))
    store.set_label("bad", judge(Outcome.FAILURE))
    return store


def candidate(policy: object, name: str) -> Candidate:
    class Manifest:
        version, sha256, data_ids = name, "0" * 64, ("good", "elsewhere")

    return Candidate(name=name, policy=policy, robot=robot(), manifest=Manifest())


def untrained(folder: Path, seed: int = 0, seen: tuple[str, ...] = ()) -> Path:
    settings = FlowSettings(
        horizon=4, objects=("box", "hole"), network=NetworkSettings(width=16, blocks=1)
    )
    policy = FlowPolicy(robot(), settings, seed=seed)
    for weights in policy.network.parameters():
        weights.data += 0.01 * (seed + 1)  # a fresh network gives nothing, whatever its seed
    save_checkpoint(folder, policy, version=folder.name, step=0, data_ids=seen)
    return folder


@pytest.mark.parametrize("kind", ["ee", "joint"])
def test_a_perfect_policy_has_no_error_in_either_space(store: EpisodeStore, kind: str) -> None:
    judged = load_judged(store.root)
    found = evaluate(candidate(Oracle(store, kind), "v1"), judged, 1)
    for errors in found.errors:
        assert errors is not None
        assert np.nanmax(errors.score) < 1e-4
        assert np.nanmax(errors.joints) < 1e-3


def test_a_shift_is_measured_in_metres_by_segment_and_only_successes_count(
    store: EpisodeStore,
) -> None:
    judged = load_judged(store.root)
    assert [j.weight for j in judged] == [0.0, 1.0]
    found = evaluate(candidate(Oracle(store, shift=0.02), "v1"), judged, 2)
    assert overall(found, judged, "shift") == pytest.approx(0.02, abs=1e-6)
    assert overall(found, judged, "shift", "human") == pytest.approx(0.02, abs=1e-6)
    (row,) = rank([found], judged)
    assert row.score == pytest.approx(0.02, abs=1e-6)
    assert np.isnan(row.beaten)


def test_the_better_of_two_is_first_and_surely_so(store: EpisodeStore) -> None:
    judged = load_judged(store.root)
    both = [
        evaluate(candidate(Oracle(store, shift=s), n), judged, 1)
        for n, s in (("worse", 0.03), ("better", 0.01))
    ]
    order = rank(both, judged)
    assert [r.evaluated.candidate.name for r in order] == ["better", "worse"]
    assert order[0].beaten > 0.7, "only resamples without the success cannot tell"


def test_rows_beyond_the_end_do_not_count(store: EpisodeStore) -> None:
    judged = load_judged(store.root)
    found = evaluate(candidate(Oracle(store), "v1"), judged, 1)
    last = found.errors[1]
    assert last is not None
    assert np.isnan(last.score[-1]).any()


@pytest.mark.parametrize(
    ("values", "start", "expected"),
    [
        ([1.0, 1.0, 0.0, 0.0], 1.0, (2.5, False)),
        ([0.0, 0.25, 0.75, 1.0], 0.0, (2.5 - 0.5 + 0.5, True)),
        ([1.0, 1.0, 1.0, 1.0], 1.0, None),
        ([0.0, 0.0, 0.0, 0.0], 1.0, (0.5, False)),
    ],
)
def test_when_a_gripper_crosses(values: list, start: float, expected: object) -> None:
    found = crossing(np.array(values), start, np.ones(4, bool))
    assert found == (None if expected is None else pytest.approx(expected))


def test_gripper_events_are_late_missed_or_false() -> None:
    def with_grips(mine: list, true: list) -> Predicted:
        tools, joints = np.zeros((1, 1, 4, 7)), np.zeros((1, 4, 7))
        other = joints.copy()
        joints[0, :, 6], other[0, :, 6] = mine, true
        return Predicted(
            tools=tools, joints=joints, true_tools=tools[0], true_joints=other,
            mask=np.ones((1, 4), bool), stamps=np.zeros(1, np.int64),
            authority=np.zeros(1, np.uint8), command=np.ones((1, 7)),
        )  # fmt: skip

    def grips(mine: list, true: list):
        return errors_of(with_grips(mine, true), 0.1, np.array([6])).grips

    late = grips([1, 1, 0, 0], [1, 0, 0, 0])
    assert late.late == pytest.approx([0.1])
    assert grips([1, 1, 1, 1], [1, 0, 0, 0]).missed == 1
    assert grips([1, 0, 0, 0], [1, 1, 1, 1]).false == 1
    assert grips([1, 1, 1, 0], [1, 1, 1, 1]).quiet == 1, "it may well come just after the end"


def test_weights_follow_the_return() -> None:
    labels = [judge(Outcome.RETURN, episode_return=r) for r in (2.0, 1.0, -1.0)]
    assert weigh(labels) == [1.0, 0.5, 0.0]
    assert weigh([judge(Outcome.FAILURE)] * 2) == [1.0, 1.0]


def test_statistics() -> None:
    assert ranks([3.0, 1.0, 1.0]).tolist() == [3.0, 1.5, 1.5]
    assert spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert np.isnan(spearman([1, 2], [5, 5]))
    means = bootstrap(np.array([[1.0, 2.0], [3.0, np.nan]]), np.ones(2))
    low, high = interval(means[:, 0])
    assert (low, high) == (1.0, 3.0)
    assert np.nanmax(means[:, 1]) == 2.0


def test_the_same_files_give_the_same_report(store: EpisodeStore, tmp_path: Path) -> None:
    seen = ((), ("elsewhere", "good"))
    folders = [untrained(tmp_path / f"v00000{i + 1}", i, seen[i]) for i in range(2)]
    judged = load_judged(store.root)
    for name in ("one", "two"):
        ranked = rank([evaluate(c, judged, 2) for c in load_candidates(folders)], judged)
        write_report(ranked, judged, tmp_path / name, {"v000001": (1, 10), "v000002": (3, 10)})
    metrics = [(tmp_path / n / "metrics.json").read_bytes() for n in ("one", "two")]
    assert metrics[0] == metrics[1]
    pictures = sorted(p.name for p in (tmp_path / "one").glob("*.png"))
    expected = ["chunks", "horizon", "joints", "ranking", "success"]  # no gripper event
    assert pictures == [f"{n}.png" for n in expected]
    for name in pictures:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    text = (tmp_path / "one" / "report.md").read_text()
    assert "v000001" in text
    assert "1 successes, 1 failures" in text
    assert "flatters the score: v000002 (1 of 2)." in text
    assert all(f"({name})" in text for name in pictures)
    data = json.loads(metrics[0])
    assert set(data["checkpoints"]["v000001"]["segments"]) == {"policy", "human"}
    assert abs(data["success"]["spearman"]) == 1.0


def test_what_is_refused(store: EpisodeStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"Give .*store"):
        load_judged(tmp_path)
    EpisodeStore(tmp_path / "empty")
    with pytest.raises(InvalidValue, match="no sealed episodes"):
        load_judged(tmp_path / "empty")
    with pytest.raises(HiorsError, match="no checkpoint"):
        load_candidates([tmp_path])
    folder = untrained(tmp_path / "v000001")
    with pytest.raises(InvalidValue, match="given twice"):
        load_candidates([folder, folder])
    with pytest.raises(InvalidValue, match="other files"):
        check_target(tmp_path)
    (tmp_path / "file").write_text("{")
    with pytest.raises(InvalidValue, match="is a file"):
        check_target(tmp_path / "file" / "report")
    with pytest.raises(InvalidValue, match="successes"):
        read_success(tmp_path / "file")


def test_an_episode_without_the_policys_object_is_named(tmp_path: Path) -> None:
    store = EpisodeStore(tmp_path / "store")
    record(store, "e1")
    settings = FlowSettings(
        horizon=4, objects=("cup",), network=NetworkSettings(width=16, blocks=1)
    )
    with pytest.raises(HiorsError, match=r"Episode e1: .*cup"):
        predict_episode(FlowPolicy(robot(), settings), robot(), load_judged(store.root)[0], 1)
