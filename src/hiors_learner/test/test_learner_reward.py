# SPDX-License-Identifier: Apache-2.0
"""The learned judge of success: states, images, thresholds, data that cannot be learnt from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from learner_scene import record
from reach import demonstrate

from hiors_core.episode import load_episode
from hiors_core.errors import InvalidValue
from hiors_core.label import Outcome
from hiors_core.store import EpisodeStore
from hiors_learner.reward_training import Examples, examples, judged, train_reward
from hiors_learner.train_reward import main
from hiors_learner.trajectory import make_trajectory
from hiors_policy.reward import RewardNetwork, RewardSettings
from hiors_policy.success import load_judge


def test_a_judge_of_states_tells_done_from_not_done():
    data = examples([demonstrate(i) for i in range(60)])
    assert data.done.sum() == 60
    network, report = train_reward(data, RewardSettings(features=5, hidden=32), batch_size=64)
    assert report.held_out > 60
    assert report.true_positives > 0.8
    assert report.false_positives < 0.1
    fresh = examples([demonstrate(i) for i in range(100, 120)])
    called = np.array(network.successes(torch.from_numpy(fresh.states)))
    assert (called == fresh.done).mean() > 0.9


def test_a_judge_of_images_sees_the_mark():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (80, 1, 32, 32, 3)).astype(np.uint8)
    done = np.arange(80) % 2 == 0
    images[done, :, 8:24, 8:24] += 150
    data = Examples(states=np.zeros((80, 0), np.float32), images=images, done=done)
    settings = RewardSettings(features=0, cameras=1, hidden=16)
    network, report = train_reward(data, settings, steps=30, batch_size=16)
    assert report.true_positives > 0.8
    assert report.false_positives < 0.2
    with pytest.raises(InvalidValue, match="images of 1 cameras"):
        network.probability(torch.zeros(1, 0))


def test_the_threshold_decides():
    states = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    low, high = (RewardNetwork(RewardSettings(features=2, threshold=t)) for t in (0.01, 0.99))
    assert all(low.successes(states))
    assert not any(high.successes(states))


def test_the_time_before_a_success_is_done_unsure_or_not():
    shown = demonstrate(0)
    data = examples([shown], end=0.2, unsure=0.1)
    assert data.done.sum() == 3
    assert len(data.done) == len(shown.states) - 1
    failed = replace(shown, rewards=0 * shown.rewards)
    assert not examples([failed], end=0.2, unsure=0.1).done.any()


def test_a_judge_takes_the_place_of_the_label():
    shown = [demonstrate(i) for i in range(40)]
    network, _ = train_reward(examples(shown), RewardSettings(features=5, hidden=32))
    unlabelled = replace(shown[0], rewards=0 * shown[0].rewards)
    assert judged(unlabelled, network).episode_return == 1.0
    begun = make_trajectory(
        shown[0].states[:4], shown[0].actions[:3], [True] * 3, [0, 0, 1], dt=0.1
    )
    assert judged(begun, network).episode_return == 0.0


def test_one_sided_data_are_refused():
    shown = examples([demonstrate(0)])
    nothing = Examples(states=shown.states, done=np.zeros(len(shown.done), bool))
    with pytest.raises(InvalidValue, match=r"0 successes and \d+ failures"):
        train_reward(nothing, RewardSettings(features=5))
    with pytest.raises(InvalidValue, match="no episode"):
        examples([])
    with pytest.raises(InvalidValue, match="features, cameras or both"):
        RewardSettings(features=0)


def test_the_command_writes_a_judge_that_can_be_read(tmp_path, capsys):
    config = Path(__file__).parents[3] / "config"
    store = EpisodeStore(tmp_path / "store")
    for i in range(3):
        record(store, f"good-{i}", seconds=2.0, seed=i)
        record(store, f"bad-{i}", seconds=2.0, seed=i, outcome=Outcome.FAILURE, rest=1.9)
    record(store, "unknown", outcome=Outcome.NONE)
    out = tmp_path / "judge.safetensors"
    words = [
        "--store", str(store.root), "--out", str(out), "--robot",
        str(config / "robots" / "xtrainer.yaml"), "--task",
        str(config / "tasks" / "insert_moisturizer.yaml"),
    ]  # fmt: skip
    assert main(words) == 0
    assert "6 episodes" in capsys.readouterr().out
    judge = load_judge(out)
    good, bad = (judge.probability(load_episode(store.path(n))) for n in ("good-0", "bad-0"))
    assert good > judge.threshold > bad
    assert main([*words, "--store", str(tmp_path / "nowhere")]) == 1
    assert "is no folder" in capsys.readouterr().err
