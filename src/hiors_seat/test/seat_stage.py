# SPDX-License-Identifier: Apache-2.0
"""A scripted graph for trying front ends: an arbiter's manners, two drawn cameras, the real label
node over real episodes. Run it by hand:  python seat_stage.py FOLDER [--forever]
"""

import math
import random
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from hiors_core.acceptance import Decision
from hiors_core.authority import Authority, Request
from hiors_core.clock import to_ns
from hiors_core.label import Outcome, judge
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_interfaces.msg import (
    ActionChunk,
    CheckpointInfo,
    ControlCommand,
    ControlState,
    EpisodeStatus,
    LearnerStatus,
    TeleopCommand,
)
from hiors_interfaces.srv import SetAuthority
from hiors_reward.label_node import LabelNode
from hiors_ros import qos
from hiors_ros.conversions import to_stamp
from hiors_ros.episodes import status_message
from hiors_ros.images import to_message

ROBOT_FILE = Path(__file__).resolve().parents[3] / "config" / "robots" / "xtrainer.yaml"
START = 1_790_000_000 * 10**9
NAMES = load_robot(ROBOT_FILE, ["left"]).names
SILVER, BLUE, GREEN = (214, 220, 228), (76, 157, 255), (62, 207, 142)

_NEXT = {
    Request.HOLD: Authority.HOLD,
    Request.POLICY: Authority.POLICY,
    Request.TAKE_OVER: Authority.HUMAN,
    Request.STOP: Authority.STOPPED,
    Request.RESUME: Authority.HOLD,
    Request.HOME: Authority.HANDOVER,
}


def picture(t: float, width: int = 640, height: int = 480, hue: int = 0) -> np.ndarray:
    """Draw a table, a gripper and a box at time t [s]."""
    image = np.full((height, width, 3), (34 + hue, 40, 48 + hue), np.uint8)
    cv2.rectangle(image, (0, int(0.62 * height)), (width, height), (58, 64 + hue, 74), -1)
    x = int(width * (0.35 + 0.2 * math.sin(0.6 * t)))
    cv2.rectangle(
        image,
        (int(0.62 * width), int(0.58 * height)),
        (int(0.76 * width), int(0.66 * height)),
        (24, 28, 34),
        -1,
    )
    cv2.rectangle(
        image, (x - 26, int(0.5 * height)), (x + 26, int(0.66 * height)), (236, 142, 88), -1
    )
    cv2.line(image, (x, 0), (x, int(0.42 * height)), SILVER, 34)
    for side in (-1, 1):
        cv2.rectangle(
            image,
            (x + side * 34 - 8, int(0.4 * height)),
            (x + side * 34 + 8, int(0.56 * height)),
            SILVER,
            -1,
        )
    return cv2.GaussianBlur(image, (5, 5), 0)


def record_episodes(
    store: EpisodeStore, count: int, *, seconds: float = 3.0, waiting: int = 2
) -> list[str]:
    """Record episodes with images and interventions; all but the last few labelled and decided."""
    rng = random.Random(3)
    ids = []
    for k in range(count):
        stamp = START + to_ns(60.0 * k)
        name = f"20260921-{12 + k // 60:02d}{k % 60:02d}00-{k:04x}"
        meta = EpisodeMeta(
            episode_id=name, task="insert_moisturizer", robot="xtrainer", arms=("left",),
            names=NAMES, f_low=2.5, f_high=5.0,
        )  # fmt: skip
        share = max(0.0, 0.6 * (1.0 - k / max(1, count)) + 0.15 * rng.random())
        _feed(start_recording(store, meta), stamp, seconds, share)
        ids.append(name)
        if k < count - waiting:
            good = rng.random() < 0.35 + 0.6 * k / count
            label = judge(
                Outcome.SUCCESS if good else Outcome.FAILURE,
                labeler="Ada",
                source="quest",
                stamp=stamp,
            )
            label = store.set_label(name, label)
            reasons = () if good else ("return 0 is below m = 0.7",)
            store.decide(
                name,
                Decision(
                    accepted=good, reasons=reasons, threshold=0.7,
                    episode_return=label.episode_return, k=k, revision=label.revision,
                ),
            )  # fmt: skip
    return ids


def _feed(recording: Any, stamp: int, seconds: float, share: float) -> None:
    home = load_robot(ROBOT_FILE, ["left"]).home
    ticks = round(30 * seconds)
    for tick in range(ticks):
        at = stamp + to_ns(tick / 30)
        t = tick / ticks
        who = Authority.POLICY
        if share and 0.4 <= t < 0.4 + share:
            who = Authority.HANDOVER if t < 0.44 else Authority.HUMAN
        recording.joint_state(at, home + 0.05 * t)
        logged = recording.executed(
            at, tick=tick, epoch=1, authority=who, position=home + 0.05 * t,
            policy_version="v000100" if who == Authority.POLICY else "",
        )  # fmt: skip
        if logged:
            recording.image("top", logged, picture(6 * t, 320, 240))
    recording.finish("labelled")


class Stage(Node):
    """The graph as a front end sees it."""

    def __init__(self, store: EpisodeStore, **kwargs: Any) -> None:
        super().__init__("stage", **kwargs)
        self.authority = Authority.POLICY
        self.operator = ""
        self.epoch = 4
        self.requests: list[tuple[Request, str]] = []
        self.teleop: list[TeleopCommand] = []
        self.problems: list[str] = []
        self.muted = False
        self._ticks = 0
        self._store = store
        pub = {topic: self._publisher(kind, topic) for kind, topic in (
            (ControlState, "control/state"), (ControlCommand, "control/command"),
            (ActionChunk, "policy/chunk"), (LearnerStatus, "learner/status"),
            (EpisodeStatus, "episode/status"), (CheckpointInfo, "policy/checkpoint"),
            (CheckpointInfo, "learner/checkpoint"), (Image, "camera/top/color/image_raw"),
            (Image, "camera/left_wrist/color/image_raw"),
        )}  # fmt: skip
        self._pub = pub
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_subscription(
            TeleopCommand, "teleop/command", self.teleop.append, qos.profile("teleop/command")
        )
        self.create_service(SetAuthority, "control/set_authority", self._on_request)
        self.create_timer(0.1, self._tick)
        self.create_timer(1.0, self._slow)
        for name in store.ids():
            self.show_episode(name)
        self._slow()

    def _publisher(self, kind: Any, topic: str) -> Any:
        return self.create_publisher(kind, topic, qos.profile(topic))

    def show_episode(self, name: str) -> None:
        """Tell what is known of a stored episode, as the bridge does."""
        decision = self._store.decision(name)
        state = EpisodeStatus.SEALED
        if decision is not None:
            state = EpisodeStatus.LEARNED if decision.accepted else EpisodeStatus.REJECTED
        manifest = self._store.manifest(name)
        self._pub["episode/status"].publish(
            status_message(
                state, name, manifest.end, manifest=manifest, label=self._store.label(name),
                decision=decision, path=str(self._store.path(name)),
            )
        )  # fmt: skip

    def _on_request(self, request: Any, response: Any) -> Any:
        kind = Request(request.request)
        self.requests.append((kind, request.operator_name))
        if self.authority is Authority.STOPPED and kind is not Request.RESUME:
            response.success, response.message = False, "STOPPED is latched: resume first"
        else:
            self.authority, self.operator = _NEXT[kind], request.operator_name
            self.epoch += 1
            response.success = True
        response.authority, response.epoch = int(self.authority), self.epoch
        self._say_state()
        return response

    def _say_state(self) -> None:
        if self.muted:
            return
        state = ControlState(
            authority=int(self.authority), epoch=self.epoch, reason="as asked",
            operator_name=self.operator, policy_version="v000100", ready=not self.problems,
            problems=self.problems, rate_hz=30.0, period_p50=0.03333, period_p99=0.0341,
            period_max=0.038, limited_ticks=self._ticks // 9, wants_chunks=True,
        )  # fmt: skip
        self._pub["control/state"].publish(state)

    def _tick(self) -> None:
        self._ticks += 1
        t, now = self._ticks / 10, self.get_clock().now()
        if self._ticks % 2 == 0:
            self._say_state()
        limited = ["left_joint4 velocity: 3.4 to 3.0 rad/s"] if self._ticks % 9 == 0 else []
        self._pub["control/command"].publish(
            ControlCommand(tick=self._ticks, authority=int(self.authority), limited=limited)
        )
        if self._ticks % 4 == 0:
            chunk = ActionChunk(
                obs_stamp=to_stamp(now.nanoseconds - to_ns(0.021 + 0.004 * math.sin(t)))
            )
            chunk.header.stamp = now.to_msg()
            self._pub["policy/chunk"].publish(chunk)
        for name, hue in (("top", 0), ("left_wrist", 14)):
            self._pub[f"camera/{name}/color/image_raw"].publish(
                to_message(picture(t, hue=hue), "rgb8")
            )

    def _slow(self) -> None:
        status = LearnerStatus(
            state=LearnerStatus.TRAINING, message="training", step=1240 + self._ticks, loss=0.0212,
            learning_rate=1e-4, demonstrations=12, episodes=18, transitions=4211,
            samples_per_s=412.0, checkpoint="v000100",
        )  # fmt: skip
        self._pub["learner/status"].publish(status)
        for topic, active in (("policy/checkpoint", True), ("learner/checkpoint", False)):
            self._pub[topic].publish(CheckpointInfo(version="v000100", step=100, active=active))
        array = DiagnosticArray(
            status=[
                DiagnosticStatus(level=b"\0", name="driver: arm left", message="streaming"),
                DiagnosticStatus(
                    level=b"\0", name="driver: stream", message="streaming",
                    values=[KeyValue(key="late", value="0")],
                ),
                DiagnosticStatus(level=b"\1", name="camera left_wrist", message="24 of 30 Hz"),
                DiagnosticStatus(level=b"\0", name="arbiter: control loop", message="30.0 Hz"),
                DiagnosticStatus(level=b"\0", name="policy: inference", message="v000100, 21 ms"),
            ]
        )  # fmt: skip
        self._diagnostics.publish(array)


class StageThread:
    """The stage and the real label node, spun in a thread; rclpy must be initialised."""

    def __init__(self, folder: Path, episodes: int = 0) -> None:
        self.store = EpisodeStore(folder / "store")
        self.ids = record_episodes(self.store, episodes) if episodes else self.store.ids()
        self.stage = Stage(self.store)
        path = str(self.store.root)
        self.label = LabelNode(parameter_overrides=[Parameter("store", value=path)])
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.stage)
        self._executor.add_node(self.label)
        self._nodes: list[Node] = [self.stage, self.label]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def add_robot(self, namespace: str) -> Stage:
        """Start another robot of the fleet."""
        stage = Stage(self.store, namespace=namespace)
        self._nodes.append(stage)
        self._executor.add_node(stage)
        return stage

    def close(self) -> None:
        self._ended.set()
        self._thread.join(10)
        self._executor.shutdown(timeout_sec=1.0)
        for node in self._nodes:
            node.destroy_node()


def write_metrics(run: Path, steps: int = 1200) -> None:
    """Write the learner's metrics of a run that goes well."""
    import json

    rng = random.Random(1)
    path = run / "learner" / "metrics.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for step in range(20, steps, 20):
            loss = 0.02 + 0.3 * math.exp(-step / 300) * (0.9 + 0.2 * rng.random())
            file.write(
                json.dumps({"step": step, "loss": loss, "stamp_ns": START + to_ns(step)}) + "\n"
            )


def main() -> None:
    folder = Path(sys.argv[1])
    rclpy.init()
    fresh = not (folder / "store").exists()
    write_metrics(folder)
    stage = StageThread(folder, episodes=24 if fresh else 0)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        stage.close()


if __name__ == "__main__":
    main()
