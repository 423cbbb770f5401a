# SPDX-License-Identifier: Apache-2.0
"""The policy node on a graph of its own (reliability: rows 3, 11, 19): a world that feeds it and
listens.
"""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch

pytest.importorskip("rclpy")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.executors import MultiThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from hiors_control.policy_node import PolicyNode
from hiors_core.authority import Authority
from hiors_core.checkpoints import MANIFEST, MODEL
from hiors_core.durable import write_document
from hiors_core.errors import UnknownName
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_interfaces.msg import ActionChunk, CheckpointInfo, ControlCommand, ControlState
from hiors_interfaces.srv import LoadCheckpoint
from hiors_policy.checkpoint import save_checkpoint
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.network import NetworkSettings
from hiors_ros import qos
from hiors_ros.conversions import doubles, to_ns, to_pose

CONFIG = Path(__file__).parents[3] / "config"
ROBOT = load_robot(CONFIG / "robots" / "xtrainer.yaml", ["left"])


def save(folder: Path, version: str, **changes: object) -> Path:
    network = NetworkSettings(width=16, blocks=1)
    settings = {"objects": ("box", "hole"), "network": network, "horizon": 8, **changes}
    policy = FlowPolicy(ROBOT, FlowSettings(**settings))
    save_checkpoint(folder / version, policy, version=version, step=int(version[1:]))
    return folder / version


class World(Node):
    """The rest of the graph: streams that can be switched off, an arbiter that wants chunks or
    not.
    """

    def __init__(self) -> None:
        super().__init__("world")
        self.streams = frozenset({"joints", "command", "box", "hole", "state"})
        self.wants, self.epoch = False, 1
        self.chunks: list[ActionChunk] = []
        self.active: list[CheckpointInfo] = []
        self.diagnostics: dict[str, str] = {}
        topics = {
            "joints": (JointState, "joint_states"),
            "command": (ControlCommand, "control/command"),
            "box": (PoseStamped, "objects/box/pose"),
            "hole": (PoseStamped, "objects/hole/pose"),
            "state": (ControlState, "control/state"),
            "learner": (CheckpointInfo, "learner/checkpoint"),
        }
        self.out = {n: self.create_publisher(k, t, qos.profile(t)) for n, (k, t) in topics.items()}
        self.loader = self.create_client(LoadCheckpoint, "policy/load_checkpoint")
        for kind, topic, keep in (
            (ActionChunk, "policy/chunk", self.chunks.append),
            (CheckpointInfo, "policy/checkpoint", self.active.append),
        ):
            self.create_subscription(kind, topic, keep, qos.profile(topic))
        self.create_subscription(DiagnosticArray, "/diagnostics", self._read, 10)
        self.create_timer(1.0 / 60.0, self._feed)

    def _read(self, message: DiagnosticArray) -> None:
        self.diagnostics |= {s.name.split(": ")[1]: s.message for s in message.status}

    def _feed(self) -> None:
        position = doubles(ROBOT.home)
        pose = np.array([-0.2, -0.37, 0.09, 0.0, 0.0, 0.0, 1.0])
        authority = Authority.POLICY if self.wants else Authority.HOLD
        messages = {
            "joints": JointState(name=list(ROBOT.names), position=position),
            "command": ControlCommand(
                names=list(ROBOT.names), position=position, epoch=self.epoch
            ),
            "box": PoseStamped(pose=to_pose(pose)),
            "hole": PoseStamped(pose=to_pose(pose)),
            "state": ControlState(
                authority=int(authority), epoch=self.epoch, wants_chunks=self.wants
            ),
        }
        for name in self.streams:
            messages[name].header.stamp = self.get_clock().now().to_msg()
            self.out[name].publish(messages[name])


class Graph:
    def __init__(self, **parameters: object) -> None:
        values = {
            "robot_file": str(CONFIG / "robots" / "xtrainer.yaml"),
            "task_file": str(CONFIG / "tasks" / "insert_moisturizer.yaml"),
            "arms": ["left"],
            "replan_interval": 0.05,
            **parameters,
        }
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.policy = PolicyNode(parameter_overrides=overrides)
        self.world = World()
        self.executor = MultiThreadedExecutor(num_threads=2)
        self.executor.add_node(self.policy)
        self.executor.add_node(self.world)

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.world.diagnostics, self.world.chunks[-1:])
            self.executor.spin_once(timeout_sec=0.05)

    def start(self) -> None:
        assert self.policy.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert self.policy.trigger_activate() == TransitionCallbackReturn.SUCCESS
        self.until(lambda: bool(self.world.active))

    def drive(self) -> None:
        self.world.wants = True
        self.until(lambda: bool(self.world.chunks))

    def load(self, path: Path | str) -> LoadCheckpoint.Response:
        future = self.world.loader.call_async(LoadCheckpoint.Request(path=str(path)))
        self.until(future.done)
        response = future.result()
        assert response is not None
        return response

    def announce(self, folder: Path) -> None:
        self.world.out["learner"].publish(CheckpointInfo(version=folder.name, path=str(folder)))

    def fresh(self, version: str) -> None:
        """Wait for a chunk of that version."""
        self.until(lambda: self.world.chunks[-1].policy_version == version)

    def close(self) -> None:
        self.policy.close()
        self.executor.shutdown()
        self.policy.destroy_node()
        self.world.destroy_node()


@pytest.fixture
def make() -> Iterator[Callable[..., Graph]]:
    rclpy.init(domain_id=random.randrange(1, 200))
    made: list[Graph] = []

    def build(**parameters: object) -> Graph:
        made.append(Graph(**parameters))
        return made[-1]

    try:
        yield build
    finally:
        for graph in made:
            graph.close()
        rclpy.try_shutdown()


@pytest.fixture
def graph(make: Callable[..., Graph], tmp_path: Path) -> Graph:
    made = make(checkpoint=str(save(tmp_path, "v000001")), checkpoints=str(tmp_path))
    made.start()
    return made


def test_chunks_come_only_while_they_are_wanted_and_say_what_they_are(graph: Graph):
    graph.until(lambda: "checkpoint" in graph.world.diagnostics)
    assert graph.world.chunks == []
    graph.drive()
    graph.until(lambda: len(graph.world.chunks) >= 3)
    first, second, third = graph.world.chunks[:3]
    assert [c.sequence for c in (first, second, third)] == [1, 2, 3]
    assert first.policy_version == "v000001"
    assert (first.action_space, first.horizon, first.dt) == ("ee", 8, 0.1)
    assert list(first.names[:2]) == ["left_x", "left_y"]
    assert len(first.values) == 8 * 7
    assert first.epoch == 1
    age = to_ns(first.header.stamp) - to_ns(first.obs_stamp)
    # Two clocks of one machine: the test stamps the command, the node the chunk.
    assert -(10**7) < age < 10**9
    # Where what the test publishes falters, an observation is used twice, never an older one.
    assert to_ns(first.obs_stamp) <= to_ns(second.obs_stamp) <= to_ns(third.obs_stamp)
    graph.until(lambda: to_ns(graph.world.chunks[-1].obs_stamp) > to_ns(first.obs_stamp))
    active = graph.world.active[-1]
    assert (active.version, active.active) == ("v000001", True)


def test_after_a_change_of_authority_chunks_carry_the_new_epoch(graph: Graph):
    graph.drive()
    graph.world.epoch = 7
    graph.until(lambda: graph.world.chunks[-1].epoch == 7)
    epochs = [c.epoch for c in graph.world.chunks]
    assert epochs == sorted(epochs)


@pytest.mark.parametrize(
    ("stream", "topic"),
    [
        ("joints", "joint_states"),
        ("command", "control/command"),
        ("hole", "objects/hole/pose"),
        ("state", "control/state"),
    ],
)
def test_a_stream_that_stops_stops_inference_and_is_named(graph: Graph, stream: str, topic: str):
    graph.drive()
    graph.world.streams -= {stream}
    graph.until(lambda: topic in graph.world.diagnostics.get("inference", ""))
    count = len(graph.world.chunks)
    graph.world.diagnostics.clear()
    graph.until(lambda: "inference" in graph.world.diagnostics)
    assert len(graph.world.chunks) == count
    graph.world.streams |= {stream}
    graph.until(lambda: len(graph.world.chunks) > count)


def test_the_learners_checkpoint_takes_over_between_chunks(graph: Graph, tmp_path: Path):
    graph.drive()
    graph.announce(save(tmp_path, "v000002"))
    graph.fresh("v000002")
    graph.until(lambda: graph.world.active[-1].version == "v000002")
    versions = [c.policy_version for c in graph.world.chunks]
    assert versions == sorted(versions)


def test_a_bad_checkpoint_is_refused_and_the_old_one_serves_on(graph: Graph, tmp_path: Path):
    graph.drive()
    bad = save(tmp_path, "v000002")
    data = bytearray((bad / MODEL).read_bytes())
    data[-1] ^= 1
    (bad / MODEL).write_bytes(data)
    graph.announce(bad)
    graph.until(lambda: "is damaged" in graph.world.diagnostics.get("checkpoint", ""))
    other = graph.load(save(tmp_path, "v000003", horizon=4))
    assert not other.success
    assert "horizon: 4 instead of 8" in other.message
    count = len(graph.world.chunks)
    graph.until(lambda: len(graph.world.chunks) > count + 1)
    assert graph.world.chunks[-1].policy_version == "v000001"


def spoil(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the manifest or the weights (under "tensors") of a checkpoint, hashes made right."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest.pop("digest")
    content = {"tensors": safetensors.torch.load((folder / MODEL).read_bytes()), **manifest}
    change(content)
    data = safetensors.torch.save(content.pop("tensors"))
    (folder / MODEL).write_bytes(data)
    content |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    write_document(folder / MANIFEST, content)
    return folder


def test_every_kind_of_bad_checkpoint_is_refused_with_the_reason(graph: Graph, tmp_path: Path):
    graph.drive()

    def not_a_number(content: dict[str, Any]) -> None:
        next(iter(content["tensors"].values())).view(-1)[0] = float("nan")

    def other_names(content: dict[str, Any]) -> None:
        content["spec"]["names"] = ["elbow", *content["spec"]["names"][1:]]

    def other_weights(content: dict[str, Any]) -> None:
        content["tensors"]["action_mean"].add_(0.1)

    truncated = save(tmp_path, "v000002")
    (truncated / MODEL).write_bytes((truncated / MODEL).read_bytes()[:-100])
    network = NetworkSettings(width=16, blocks=1, head="diffusion")
    bad = {
        "bytes long instead of": truncated,
        "diffusion_v_mlp instead of flow_mlp": save(tmp_path, "v000003", network=network),
        "names: left_joint1": save(tmp_path, "v000004", kind="joint"),
        "names: elbow": spoil(save(tmp_path, "v000005"), other_names),
        "not finite": spoil(save(tmp_path, "v000006"), not_a_number),
        "canned observation": spoil(save(tmp_path, "v000007"), other_weights),
        "cannot read": tmp_path / "v000008",
    }
    for reason, folder in bad.items():
        graph.announce(folder)
        graph.until(lambda r=reason: r in graph.world.diagnostics.get("checkpoint", ""))
        assert graph.world.diagnostics["checkpoint"].startswith("refused")
        count = len(graph.world.chunks)
        graph.until(lambda c=count: len(graph.world.chunks) > c)
        assert graph.world.chunks[-1].policy_version == "v000001"


def test_a_checkpoint_that_is_worse_on_held_out_episodes_is_refused(
    make: Callable[..., Graph], tmp_path: Path
):
    held_out = EpisodeStore(tmp_path / "held-out")
    meta = EpisodeMeta(episode_id="h1", task="t", robot="xtrainer", names=ROBOT.names)
    recording = start_recording(held_out, meta)
    pose = np.array([-0.2, -0.37, 0.09, 0.0, 0.0, 0.0, 1.0])
    for tick in range(61):
        stamp, position = 10**18 + tick * 33_333_333, ROBOT.home + 0.001 * tick
        recording.joint_state(stamp, position)
        recording.object_pose("box", stamp, pose)
        recording.object_pose("hole", stamp, pose)
        recording.executed(stamp, tick=tick, epoch=1, authority=Authority.HUMAN, position=position)
    recording.finish("labelled")
    calm = FlowPolicy(ROBOT, FlowSettings(objects=("box", "hole"), horizon=8))
    calm.network.action_std.fill_(0.001)
    wild = FlowPolicy(ROBOT, FlowSettings(objects=("box", "hole"), horizon=8))
    wild.network.action_std.fill_(0.5)
    for version, policy in (("v000001", calm), ("v000002", wild), ("v000003", calm)):
        save_checkpoint(tmp_path / version, policy, version=version, step=1)
    graph = make(checkpoint=str(tmp_path / "v000001"), gate=str(held_out.root))
    graph.start()
    graph.drive()
    graph.announce(tmp_path / "v000002")
    graph.until(lambda: "worse than the policy" in graph.world.diagnostics.get("checkpoint", ""))
    assert graph.world.chunks[-1].policy_version == "v000001"
    graph.announce(tmp_path / "v000003")
    graph.fresh("v000003")


def test_what_a_person_loads_stays_until_they_ask_for_the_newest(graph: Graph, tmp_path: Path):
    from hiors_policy.checkpoint import read_manifest, write_latest

    graph.drive()
    newest = save(tmp_path, "v000009")
    write_latest(tmp_path, newest, read_manifest(newest))
    assert graph.load(save(tmp_path, "v000000")).version == "v000000"
    graph.fresh("v000000")
    graph.announce(newest)
    count = len(graph.world.chunks)
    graph.until(lambda: len(graph.world.chunks) > count + 3)
    assert graph.world.chunks[-1].policy_version == "v000000"
    assert graph.load("").version == "v000009"
    graph.fresh("v000009")


def test_a_swap_can_wait_for_the_episodes_end(make: Callable[..., Graph], tmp_path: Path):
    graph = make(checkpoint=str(save(tmp_path, "v000001")), swap="episode")
    graph.start()
    graph.drive()
    response = graph.load(save(tmp_path, "v000002"))
    assert response.message == "takes over between episodes"
    count = len(graph.world.chunks)
    graph.until(lambda: len(graph.world.chunks) > count + 2)
    assert graph.world.chunks[-1].policy_version == "v000001"
    graph.world.wants = False
    graph.until(lambda: graph.world.active[-1].version == "v000002")


def test_an_inactive_policy_is_silent(graph: Graph):
    graph.drive()
    assert graph.policy.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    silent_from = graph.policy.now_ns()
    graph.world.diagnostics.clear()
    graph.until(lambda: "inference" in graph.world.diagnostics)
    late = [chunk for chunk in graph.world.chunks if to_ns(chunk.header.stamp) > silent_from]
    assert len(late) <= 1, "only the chunk that was being inferred may still come"
    assert graph.policy.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
    graph.start()
    count = len(graph.world.chunks)
    graph.until(lambda: len(graph.world.chunks) > count)


def test_without_a_checkpoint_it_is_not_configured(make: Callable[..., Graph], tmp_path: Path):
    graph = make(checkpoints=str(tmp_path))
    assert graph.policy.trigger_configure() == TransitionCallbackReturn.FAILURE
    graph.until(lambda: "no checkpoint to start with" in graph.world.diagnostics["checkpoint"]
                if "checkpoint" in graph.world.diagnostics else False)  # fmt: skip


def test_a_misspelt_parameter_is_refused(make: Callable[..., Graph]):
    with pytest.raises(UnknownName, match="Did you mean 'replan_interval'"):
        make(replan_intervall=0.1)
