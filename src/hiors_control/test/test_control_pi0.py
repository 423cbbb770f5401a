# SPDX-License-Identifier: Apache-2.0
"""A tiny pi0 in the policy node, on images of the simulator: chunks, hot swap, bad checkpoints."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

import rclpy
import torch
from sensor_msgs.msg import Image
from test_control_policy_node import CONFIG, ROBOT, Graph

from hiors_core.checkpoints import MANIFEST, MODEL
from hiors_core.clock import FakeClock, to_s
from hiors_core.durable import sha256_file, write_document
from hiors_core.errors import HiorsError
from hiors_learner.data import empty
from hiors_learner.losses import make_batch, make_objective, tune
from hiors_learner.publisher import Publisher
from hiors_learner.settings import LossSettings, TuningSettings
from hiors_policy.canned import canned_observation
from hiors_policy.checkpoint import load_policy, read_latest, save_checkpoint
from hiors_policy.ema import MovingAverage
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.network import NetworkSettings
from hiors_policy.pi0.tensors import TensorFiles, write_tensors
from hiors_policy.pi0.tiny import tiny_policy
from hiors_ros import qos
from hiors_ros.conversions import to_ns
from hiors_sim.task import load_sim_task
from hiors_sim.xtrainer import XTrainerSim

CAMERA = "top"


def save(folder: Path, version: str, seed: int = 0) -> Path:
    policy = tiny_policy(ROBOT, (CAMERA,), seed)
    save_checkpoint(folder / version, policy, version=version, step=int(version[1:]))
    return folder / version


class Seeing(Graph):
    """The graph with a camera that shows what the simulator renders."""

    def __init__(self, **parameters: object) -> None:
        super().__init__(**parameters)
        sim = XTrainerSim(ROBOT, load_sim_task(CONFIG / "tasks" / "insert_moisturizer.yaml"))
        try:
            pixels = sim.render(CAMERA)
        except HiorsError as error:
            pytest.skip(str(error))
        topic = f"camera/{CAMERA}/color/image_raw"
        self._camera = self.world.create_publisher(Image, topic, qos.profile(topic))
        height, width, _ = pixels.shape
        self._image = Image(
            height=height, width=width, encoding="rgb8", step=3 * width, data=pixels.tobytes()
        )
        self.world.create_timer(1.0 / 30.0, self._show)

    def _show(self) -> None:
        self._image.header.stamp = self.world.get_clock().now().to_msg()
        self._camera.publish(self._image)


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Seeing]:
    rclpy.init(domain_id=random.randrange(1, 200))
    made = Seeing(checkpoint=str(save(tmp_path, "v000001")), rtc=True, cameras_max_age=5.0)
    try:
        made.start()
        yield made
    finally:
        made.close()
        rclpy.try_shutdown()


def test_it_serves_chunks_goes_on_from_them_swaps_and_refuses(graph: Seeing, tmp_path: Path):
    world = graph.world
    graph.drive()
    graph.until(lambda: len(world.chunks) >= 3)
    first, second = world.chunks[:2]
    assert (first.action_space, first.horizon, first.policy_version) == ("joint", 10, "v000001")
    values = [np.reshape(c.values, (10, len(ROBOT.names))) for c in (first, second)]
    assert np.all(np.isfinite(values))
    gap = to_s(to_ns(second.obs_stamp) - to_ns(first.obs_stamp))
    shift = round(gap / first.dt)
    # Row 0 will have been executed when the second chunk arrives: it is kept.
    if shift < 10:
        np.testing.assert_allclose(values[1][0], values[0][shift], atol=1e-4)

    graph.announce(save(tmp_path, "v000002", seed=5))
    graph.fresh("v000002")

    flipped = save(tmp_path, "v000003")
    data = bytearray((flipped / MODEL).read_bytes())
    data[-1] ^= 1
    (flipped / MODEL).write_bytes(data)
    truncated = save(tmp_path, "v000004")
    (truncated / MODEL).write_bytes(data[: len(data) // 2])
    small = FlowSettings(
        kind="joint", horizon=10, dt=0.1, network=NetworkSettings(width=16, blocks=1)
    )
    other = tmp_path / "v000005"
    save_checkpoint(other, FlowPolicy(ROBOT, small), version="v000005", step=5)
    renamed = save(tmp_path, "v000006")
    text = (renamed / MANIFEST).read_text().replace("left_joint3", "left_elbow")
    (renamed / MANIFEST).write_text(text)
    for folder, reason in (
        (flipped, "damaged"),
        (truncated, "damaged"),
        (other, "architecture: flow_mlp instead of pi0"),
        (renamed, ""),
    ):
        graph.announce(folder)
        graph.until(lambda f=folder: f.name in world.diagnostics.get("checkpoint", ""))
        assert reason in world.diagnostics["checkpoint"]
        assert world.diagnostics["checkpoint"].startswith("refused")
        count = len(world.chunks)
        graph.until(lambda c=count: len(world.chunks) > c)
        assert world.chunks[-1].policy_version == "v000002"


def test_weights_that_are_no_numbers_are_refused_in_spite_of_a_right_hash(
    graph: Seeing, tmp_path: Path
):
    graph.drive()
    bad = save(tmp_path, "v000002")
    with TensorFiles(bad / MODEL) as files:
        tensors = {name: files[name].clone() for name in files}
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    write_tensors(bad / MODEL, tensors)
    manifest = json.loads((bad / MANIFEST).read_text())
    manifest.pop("digest", None)
    manifest["sha256"] = sha256_file(bad / MODEL)
    manifest["size"] = (bad / MODEL).stat().st_size
    write_document(bad / MANIFEST, manifest, "test")
    response = graph.load(bad)
    assert not response.success
    assert "not finite" in response.message
    count = len(graph.world.chunks)
    graph.until(lambda: len(graph.world.chunks) > count)
    assert graph.world.chunks[-1].policy_version == "v000001"


def test_a_learners_step_is_published_and_takes_over(graph: Seeing, tmp_path: Path):
    graph.drive()
    policy = load_policy(tmp_path / "v000001")
    seen = canned_observation(ROBOT, policy.spec)
    samples = empty(policy, 2)
    for i in range(2):
        row = policy.row(seen, "insert it", np.tile(ROBOT.home + 0.01 * i, (10, 1)))
        samples.states[i], samples.images[i] = row.state, row.images
        samples.tokens[i], samples.actions[i] = row.tokens, row.actions
    samples.mask[:], samples.weight[:] = True, 1.0
    settings = LossSettings(samples=2)
    tune(policy, TuningSettings(mode="expert_only"))
    objective = make_objective(policy, settings)
    optimizer = torch.optim.AdamW([p for p in objective.parameters() if p.requires_grad], 1e-3)
    objective(make_batch(samples, settings, (0, 0), 0, 1)).backward()
    optimizer.step()
    average = MovingAverage(policy.network, 1.0)
    published = Publisher(policy, "v000001", FakeClock(1)).publish(tmp_path, average, 7, ["e1"])
    newest = read_latest(tmp_path)
    assert newest is not None
    assert newest.name == published.version == "v000007"
    graph.announce(newest)
    graph.fresh("v000007")
    graph.until(lambda: graph.world.active[-1].version == "v000007")
