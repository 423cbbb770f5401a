# SPDX-License-Identifier: Apache-2.0
"""A learned judge proposes labels: its file, what it sees, and that a person's word stands."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.errors import IntegrityError, InvalidValue, UnknownName
from hiors_core.label import Outcome
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.robot import RobotModel, load_robot
from hiors_core.store import EpisodeStore
from hiors_policy.observation import StateEncoder
from hiors_policy.reward import RewardNetwork, RewardSettings
from hiors_policy.success import SuccessJudge, load_judge, save_judge
from hiors_reward.classifier import NAME, Proposer
from hiors_reward.desk import Judgement, LabelDesk

ROBOTS = Path(__file__).parents[3] / "config" / "robots"
OBJECTS = ("box", "hole")


def robot(*arms: str) -> RobotModel:
    return load_robot(ROBOTS / "xtrainer.yaml", list(arms or ("left",)))


def judge_of(sees: str, model: RobotModel | None = None) -> SuccessJudge:
    """Return a judge that says success where the feature is above zero."""
    model = model or robot()
    names = StateEncoder(model, OBJECTS).names
    network = RewardNetwork(RewardSettings(features=len(names), hidden=2, dropout=0.0))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        first, norm, last = network.layers[0], network.layers[2], network.layers[4]
        first.weight[0, names.index(sees)] = 1.0
        norm.weight.fill_(1.0)
        last.weight[0, 0], last.weight[0, 1] = 20.0, -20.0
    return SuccessJudge(network.eval(), model, OBJECTS)


def record(store: EpisodeStore, name: str, *, height: float, objects=OBJECTS) -> None:
    """Record an episode at the end of which the box stands so high above the hole."""
    model = robot()
    meta = EpisodeMeta(
        episode_id=name, task="insert", robot=model.name, arms=("left",), names=model.names
    )
    recording = start_recording(store, meta)
    for tick in range(10):
        stamp = to_ns(100.0 + tick / 10)
        recording.joint_state(stamp, model.home)
        for i, thing in enumerate(objects):
            up = height * tick / 9 * (thing == "hole") - 0.05
            recording.object_pose(thing, stamp, np.array([0.1 * i, -0.4, up, 0, 0, 0, 1.0]))
        recording.executed(
            stamp, tick=tick, epoch=1, authority=Authority.POLICY, position=model.home
        )
    recording.finish("time is over")


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    return EpisodeStore(tmp_path / "store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "judge.safetensors"
    save_judge(path, judge_of("hole_from_box_z"))
    return path


def test_the_best_moment_of_an_episode_decides(store, file):
    record(store, "a", height=0.02)
    record(store, "b", height=-0.02)
    proposer = Proposer(store, file)
    good, bad = proposer.propose("a"), proposer.propose("b")
    assert (good.outcome, bad.outcome) == (Outcome.SUCCESS, Outcome.FAILURE)
    assert good.probability > 0.9
    assert load_judge(file).threshold == 0.75


def test_a_proposal_becomes_a_label_that_a_person_may_change(store, file):
    record(store, "a", height=-0.02)
    desk = LabelDesk(store)
    proposer = Proposer(store, file)
    _, label = desk.take(proposer.propose("a").judgement(), 1)
    assert (label.outcome, label.labeler) == (Outcome.FAILURE, NAME)
    said = Judgement(episode_id="a", outcome=int(Outcome.SUCCESS), labeler="li")
    assert desk.take(said, 2)[1].outcome == Outcome.SUCCESS
    assert proposer.propose("a") is None, "somebody has judged it"


def test_what_the_judge_cannot_see_is_said(store, file):
    record(store, "a", height=0.02, objects=("box",))
    with pytest.raises(UnknownName, match="hole"):
        Proposer(store, file).propose("a")
    two = file.with_name("two")
    save_judge(two, judge_of("hole_from_box_z", robot("left", "right")))
    record(store, "b", height=0.02)
    with pytest.raises(InvalidValue, match="has the columns"):
        Proposer(store, two).propose("b")
    with pytest.raises(InvalidValue, match="gives"):
        SuccessJudge(judge_of("hole_from_box_z").network, robot(), ("box",))


@pytest.mark.parametrize("spoilt", [b"", b"nonsense", b"\x00" * 100])
def test_a_file_that_is_no_judge_is_refused(store, tmp_path, spoilt):
    path = tmp_path / "spoilt"
    path.write_bytes(spoilt)
    for wrong in (path, tmp_path / "missing"):
        with pytest.raises(IntegrityError, match="not the file of a learned judge"):
            Proposer(store, wrong)
