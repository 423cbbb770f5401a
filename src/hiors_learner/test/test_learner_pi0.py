# SPDX-License-Identifier: Apache-2.0
"""pi0 through the learner's own interface: rows, loss, modes, publishing, a whole offline run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from learner_scene import ROBOT_FILE, TASK_FILE, record, robot, settings_file
from test_learner_train import quiet

from hiors_core.clock import FakeClock
from hiors_core.observation import Observation
from hiors_core.store import EpisodeStore
from hiors_learner.data import SampleReader, Samples, empty
from hiors_learner.losses import make_batch, make_objective, tune
from hiors_learner.optimizer import Optimizer
from hiors_learner.publisher import Publisher
from hiors_learner.settings import MODES, LossSettings, OptimizerSettings, TuningSettings
from hiors_policy import pi0
from hiors_policy.checkpoint import load_checkpoint, load_policy, read_latest, save_checkpoint
from hiors_policy.pi0.tiny import tiny_policy

CAMERAS = ("top",)


def seen(seed: int) -> Observation:
    rng = np.random.default_rng(seed)
    position = robot().home + rng.normal(0.0, 0.05, 7)
    images = {name: rng.integers(0, 256, (48, 64, 3), np.uint8) for name in CAMERAS}
    return Observation(stamp=1, position=position, command=position, images=images)


def rows(policy, count: int = 4) -> tuple[Samples, list[Observation], np.ndarray]:
    observations = [seen(i) for i in range(count)]
    rng = np.random.default_rng(9)
    horizon = policy.spec.horizon
    actions = robot().home + np.cumsum(rng.normal(0.0, 0.02, (count, horizon, 7)), axis=1)
    samples = empty(policy, count)
    for i, observation in enumerate(observations):
        row = policy.row(observation, "put it in", actions[i])
        samples.states[i], samples.images[i] = row.state, row.images
        samples.tokens[i], samples.actions[i] = row.tokens, row.actions
    samples.mask[:] = True
    samples.weight[:] = 1.0
    return samples, observations, actions


def test_modes_are_those_of_the_network():
    assert MODES == pi0.MODES


@pytest.mark.parametrize("law", ["uniform", "beta"])
def test_the_loss_is_that_of_the_policy_split_over_ranks(law: str):
    policy = tiny_policy(robot(), CAMERAS)
    samples, observations, actions = rows(policy)
    samples.mask[0, 4:] = False
    samples.weight[1] = 0.0
    settings = LossSettings(samples=2, flow_times=law)
    whole = make_batch(samples, settings, (0, 5), 0, 1)
    objective = make_objective(policy, settings)
    time = 1.0 - whole.u if law == "uniform" else 0.001 + 0.999 * (1.0 - whole.u)
    with torch.no_grad():
        direct = policy.loss(
            observations,
            ["put it in"] * len(observations),
            actions,
            samples.mask,
            weights=torch.from_numpy(samples.weight),
            noise=whole.noise,
            time=time,
        )
        assert objective(whole).item() == pytest.approx(float(direct), rel=1e-5)
        parts = [objective(make_batch(samples, settings, (0, 5), rank, 2)) for rank in range(2)]
    assert float(sum(parts)) / 2 == pytest.approx(float(direct), rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_learns_and_publishes_what_it_learned(tmp_path: Path, mode: str):
    policy = tiny_policy(robot(), CAMERAS)
    samples, observations, _ = rows(policy)
    save_checkpoint(tmp_path / "v000000-start", policy, version="v000000-start", step=0)
    tune(policy, TuningSettings(mode=mode, gradient_checkpointing=mode == "full"))
    settings = LossSettings(samples=2)
    objective = make_objective(policy, settings)
    optimizer = Optimizer(objective, OptimizerSettings(learning_rate=3e-3, warm_up=0))
    batch = make_batch(samples, settings, (0, 0), 0, 1)
    losses = []
    for _ in range(4):
        losses.append(objective(batch))
        optimizer.step(losses[-1])
    assert losses[-1].item() < losses[0].item()
    learning = {n for n, p in objective.named_parameters() if p.requires_grad}
    frozen = {n for n, p in objective.named_parameters() if not p.requires_grad}
    assert learning <= set(optimizer.average.state())
    assert not frozen & set(optimizer.average.state())

    average = {n.removeprefix("network."): t for n, t in optimizer.average.state().items()}
    optimizer.average.state = lambda: average  # type: ignore[method-assign]
    publisher = Publisher(policy, "v000000-start", FakeClock(1))
    published = publisher.publish(tmp_path, optimizer.average, 4, ["e1"])
    assert published.parent == "v000000-start"
    newest = read_latest(tmp_path)
    assert newest is not None
    before, after = load_policy(tmp_path / "v000000-start"), load_policy(newest)
    moved = after.predict(observations[0], "put it in", 1)
    assert np.abs(moved - before.predict(observations[0], "put it in", 1)).max() > 1e-4
    own = policy.network.state_dict()
    assert all(torch.equal(own[n], t) for n, t in policy.twin().network.state_dict().items())


def test_an_episode_becomes_rows_with_its_instruction(tmp_path: Path):
    policy = tiny_policy(robot())
    store = EpisodeStore(tmp_path)
    samples = SampleReader(policy, 1e-3).read(record(store, "e1", seconds=2.0))
    assert len(samples) > 3
    assert samples.actions.shape[1:] == (10, policy.model.config.action_dim)
    assert samples.tokens.shape[1] == policy.model.config.prompt_tokens
    assert np.all(samples.tokens[:, 0] == 2), "each prompt has its start"
    assert samples.mask.dtype == bool
    assert not samples.mask[-1].all(), "the last rows are past the end"


@pytest.mark.timeout(240)
def test_a_pi0_is_trained_offline_by_the_learner_itself(tmp_path: Path):
    start = tmp_path / "start"
    save_checkpoint(start, tiny_policy(robot()), version="v000000-base", step=0)
    record(EpisodeStore(tmp_path / "demos"), "d1", seconds=2.0)
    config = settings_file(
        tmp_path,
        policy={"kind": "joint", "horizon": 10, "dt": 0.1},
        loss={"samples": 2, "flow_times": "beta"},
        tuning={"mode": "expert_only", "gradient_checkpointing": True},
    )
    out = tmp_path / "checkpoints" / "v000000-start"
    words = ["--robot", str(ROBOT_FILE), "--task", str(TASK_FILE), "--config", str(config)]
    words += ["--start", str(start), "--steps", "3", "--demos", str(tmp_path / "demos")]
    line = [sys.executable, "-m", "hiors_learner.train", *words, "--out", str(out)]
    done = subprocess.run(line, env=quiet(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    loaded, base = load_checkpoint(out), load_policy(start)
    assert loaded.manifest.architecture["name"] == "pi0"
    assert (loaded.manifest.step, loaded.manifest.parent) == (3, "v000000-base")
    old, new = base.network.state_dict(), loaded.policy.network.state_dict()
    moved = {name for name, value in new.items() if not torch.equal(value, old[name])}
    assert moved, "it learned"
    assert not any(".vlm." in name for name in moved), "the language model was frozen"
