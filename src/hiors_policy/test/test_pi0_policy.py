# SPDX-License-Identifier: Apache-2.0
"""pi0 as a policy: columns, units, seeds, continuation of a chunk, training and restoring."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel, load_robot
from hiors_policy import pi0
from hiors_policy.pi0.adapter import Pi0Policy
from hiors_policy.pi0.codec import Pi0Codec, Pi0Settings, fit_normalizer
from hiors_policy.pi0.prompt import ByteTokenizer
from hiors_policy.policy import Policy

ROBOT_FILE = Path(__file__).resolve().parents[3] / "config/robots/xtrainer.yaml"
CONFIG = pi0.tiny_config()
CAMERAS = ("top", "left_wrist")


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return load_robot(ROBOT_FILE, ["left"])


def observe(robot: RobotModel, seed: int = 0) -> Observation:
    random = np.random.default_rng(seed)
    position = robot.home + 0.1 * random.standard_normal(len(robot.names))
    images = {
        name: random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for name in (*CAMERAS, "spare")
    }
    return Observation(stamp=1, position=position, command=position, images=images)


def targets(observation: Observation, policy_columns: int, seed: int = 3) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0.0, 0.02, (CONFIG.horizon, policy_columns))
    return observation.position[:policy_columns] + np.cumsum(steps, axis=0)


def build(robot: RobotModel, kind: str = "joint", **changes: object) -> Pi0Policy:
    settings = dataclasses.replace(Pi0Settings(kind=kind, cameras=CAMERAS), **changes)  # type: ignore[arg-type]
    columns = len(robot.names)
    normalizer = pi0.Normalizer(
        state=pi0.Scale.make({"mean": np.zeros(columns), "std": np.ones(columns)}),
        action=pi0.Scale.make({"mean": np.zeros(columns), "std": np.full(columns, 0.05)}),
    )
    model = pi0.Pi0.random(CONFIG, std=0.1)
    return Pi0Policy(robot, model, settings, normalizer, ByteTokenizer())


def test_it_keeps_the_contract_of_a_policy(robot: RobotModel) -> None:
    policy: Policy = build(robot)
    spec = policy.spec
    assert (spec.robot, spec.kind, spec.names) == (robot.name, "joint", robot.names)
    assert (spec.horizon, spec.dt, spec.cameras) == (10, 0.05, CAMERAS)
    one, two = observe(robot, 1), observe(robot, 2)
    chunk = policy.predict(one, "put it in", seed=4)
    assert chunk.shape == (10, len(robot.names))
    assert chunk.dtype == np.float64
    assert np.array_equal(chunk, policy.predict(one, "put it in", seed=4))
    assert not np.array_equal(chunk, policy.predict(one, "put it in", seed=5))
    assert not np.array_equal(policy.predict(one), policy.predict(one))
    both = policy.predict_batch([one, two], ["put it in", "open"], [4, 6])
    assert both[0] == pytest.approx(chunk, abs=1e-6)
    assert both[1] == pytest.approx(policy.predict(two, "open", seed=6), abs=1e-6)
    assert policy.predict_batch([]).shape == (0, 10, len(robot.names))


@pytest.mark.parametrize("kind", ["joint", "ee"])
@pytest.mark.parametrize("relative", [True, False])
def test_actions_come_back_as_they_went_in(robot: RobotModel, kind: str, relative: bool) -> None:
    codec = build(robot, kind, relative=relative).codec
    observation = observe(robot)
    actions = codec.state(observation) + np.random.default_rng(0).normal(
        0.0, 0.02, (CONFIG.horizon, len(codec.space.names))
    )
    scaled = codec.encode_actions(actions, observation)
    assert scaled.shape == (CONFIG.horizon, CONFIG.action_dim)
    assert codec.decode_actions(scaled, observation) == pytest.approx(actions, abs=1e-6)
    gripper = codec.offsets(actions, observation)[:, -1]
    assert gripper == pytest.approx(actions[:, -1])


def test_prepared_and_plain_give_the_same_chunk(robot: RobotModel) -> None:
    policy, observation = build(robot), observe(robot)
    plain = policy.predict(observation, "put it in", seed=4)
    assert policy.prepare(observation, "put it in") >= 0.0
    assert policy.predict(observation, "put it in", seed=4) == pytest.approx(plain, abs=1e-5)
    assert policy.predict(observation, "something else", seed=4).shape == plain.shape


@pytest.mark.parametrize("trained", [False, True])
def test_a_chunk_goes_on_from_the_one_in_execution(robot: RobotModel, trained: bool) -> None:
    policy, observation = build(robot), observe(robot)
    previous = targets(observation, len(robot.names))[:6]
    led = policy.predict_after(observation, "go", previous, 3, trained=trained, seed=1)
    free = policy.predict(observation, "go", seed=1)
    miss = [np.abs(chunk[:3] - previous[:3]).max() for chunk in (led, free)]
    assert miss[0] < 0.3 * miss[1]
    if trained:
        assert miss[0] < 1e-6
        policy.prepare(observation, "go")
        again = policy.predict_after(observation, "go", previous, 3, trained=True, seed=1)
        assert again == pytest.approx(led, abs=1e-5)
    with pytest.raises(InvalidValue, match=r"delay must be 0 \.\. 6"):
        policy.predict_after(observation, "go", previous, 7)


def test_it_learns_from_absolute_actions(robot: RobotModel) -> None:
    policy = build(robot)
    learning = pi0.set_mode(policy.model, "vision_frozen")
    optimizer = torch.optim.AdamW(learning, lr=5e-3)
    observations = [observe(robot, seed) for seed in (1, 2)]
    actions = np.stack([targets(o, len(robot.names)) for o in observations])
    mask = np.ones(actions.shape[:2], dtype=bool)
    mask[1, 5:] = False
    losses = []
    for _ in range(25):
        loss = policy.loss(
            observations, ["go", "go"], actions, mask, samples=4, weights=torch.ones(2)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_it_is_restored_from_its_description_and_tensors(robot: RobotModel) -> None:
    policy, observation = build(robot, "ee"), observe(robot)
    tensors = {name: tensor.clone() for name, tensor in policy.tensors().items()}
    again = Pi0Policy.restore(robot, policy.description(), tensors, ByteTokenizer())
    assert again.spec == policy.spec
    assert np.array_equal(again.predict(observation, seed=1), policy.predict(observation, seed=1))


def test_it_starts_from_a_published_checkpoint(robot: RobotModel, tmp_path: Path) -> None:
    policy, observation = build(robot), observe(robot)
    pi0.save(tmp_path, policy.model, normalizer=policy.codec.normalizer, fmt="lerobot")
    options = {"settings": policy.settings, "tokenizer": ByteTokenizer()}
    again = Pi0Policy.from_checkpoint(tmp_path, robot, **options)  # type: ignore[arg-type]
    assert np.array_equal(again.predict(observation, seed=1), policy.predict(observation, seed=1))
    shorter = Pi0Policy.from_checkpoint(tmp_path, robot, horizon=4, **options)  # type: ignore[arg-type]
    assert shorter.predict(observation, seed=1).shape == (4, len(robot.names))
    pi0.save(tmp_path / "bare", policy.model)
    with pytest.raises(InvalidValue, match="no normalisation statistics"):
        Pi0Policy.from_checkpoint(tmp_path / "bare", robot, **options)  # type: ignore[arg-type]


def test_statistics_are_fitted_on_offsets(robot: RobotModel) -> None:
    settings = Pi0Settings(cameras=CAMERAS)
    pairs = []
    for seed in range(20):
        observation = observe(robot, seed)
        pairs.append((observation, targets(observation, len(robot.names), seed)))
    fitted = fit_normalizer(robot, settings, pairs)
    assert np.abs(fitted.action.mean[:-1]).max() < 0.05
    assert fitted.state.mean == pytest.approx(robot.home, abs=0.1)


def test_what_the_policy_cannot_use_is_refused(robot: RobotModel) -> None:
    policy, observation = build(robot), observe(robot)
    blind = dataclasses.replace(observation, images={"top": observation.images["top"]})
    with pytest.raises(UnknownName, match="left_wrist"):
        policy.predict(blind)
    lost = dataclasses.replace(observation, position=np.full(len(robot.names), np.nan))
    with pytest.raises(InvalidValue, match="left_joint1 is not a finite"):
        policy.predict(lost)
    with pytest.raises(InvalidValue, match="1 instructions for 2"):
        policy.predict_batch([observation, observation], ["go"])
    with pytest.raises(InvalidValue, match="2 seeds for 1"):
        policy.predict_batch([observation], seeds=[1, 2])
    with pytest.raises(InvalidValue, match="fit them on"):
        Pi0Codec(robot, policy.settings, CONFIG, pi0.Normalizer.identity(32, 32), ByteTokenizer())
