# SPDX-License-Identifier: Apache-2.0
"""Time of training steps while an episode with JPEG images is read: between them, and on a thread.

    hiors bench decode_ahead

One process trains a small policy on images; episodes arrive in turn for either way, so that a
slower spell of the machine touches both. A step is from one to the next, with what lies between.
"""

import argparse
import json
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for package in ("hiors_core", "hiors_policy", "hiors_link", "hiors_learner"):
    sys.path.insert(0, str(ROOT / "src" / package))

import numpy as np  # noqa: E402

from hiors_core.authority import Authority  # noqa: E402
from hiors_core.clock import to_ns  # noqa: E402
from hiors_core.images import encode_jpeg  # noqa: E402
from hiors_core.manifest import EpisodeMeta  # noqa: E402
from hiors_core.recording import start_recording  # noqa: E402
from hiors_core.robot import RobotModel, load_robot  # noqa: E402
from hiors_core.store import EpisodeStore  # noqa: E402
from hiors_learner.data import SampleReader, Samples, empty  # noqa: E402
from hiors_learner.losses import HiOrsObjective  # noqa: E402
from hiors_learner.optimizer import Optimizer  # noqa: E402
from hiors_learner.settings import DataSettings, LearnerSettings  # noqa: E402
from hiors_learner.training_set import ONLINE, TrainingSet  # noqa: E402
from hiors_policy.flow_policy import FlowPolicy, FlowSettings  # noqa: E402
from hiors_policy.network import NetworkSettings  # noqa: E402
from hiors_policy.observation import VISION_GROUPS  # noqa: E402

CAMERAS = ("top", "left_wrist", "right_wrist")


def main() -> None:
    """Measure as the command line says and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="episodes for each way")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of an episode")
    options = parser.parse_args()
    robot = load_robot(ROOT / "config" / "robots" / "xtrainer.yaml", ["left"])
    network = NetworkSettings(width=64, blocks=2, image_size=64)
    chosen = FlowSettings(horizon=8, cameras=CAMERAS, features=VISION_GROUPS, network=network)
    trainer = Trainer(FlowPolicy(robot, chosen))
    with tempfile.TemporaryDirectory() as folder:
        path = record(EpisodeStore(Path(folder)), robot, options.seconds)
        reader = SampleReader(trainer.policy, 1e-3)
        trainer.add(reader.read(path))
        found: dict[str, list[float]] = {"between": [], "thread": []}
        quiet = [trainer.step() for _ in range(20)][5:]
        for _ in range(options.rounds):
            found["between"] += between(trainer, lambda: reader.read(path))
            found["thread"] += on_thread(trainer, lambda: reader.read(path))
    print(
        json.dumps({"no episode": _summary(quiet), **{n: _summary(v) for n, v in found.items()}})
    )


class Trainer:
    """A policy, its optimiser and its data."""

    def __init__(self, policy: FlowPolicy) -> None:
        self.policy = policy
        settings = LearnerSettings(data=DataSettings(batch_size=32, min_transitions=1))
        self._objective = HiOrsObjective(policy.network)
        self._optimizer = Optimizer(policy.network, settings.optimizer)
        self._data = TrainingSet(empty(policy), settings)

    def add(self, samples: Samples) -> None:
        """Put an episode into the training set."""
        self._data.add(ONLINE, samples)

    def step(self) -> float:
        """Do a step and return its time [s]."""
        start = time.perf_counter()
        self._optimizer.step(self._objective(self._data.batch(self._optimizer.steps)))
        return time.perf_counter() - start


def between(trainer: Trainer, read: Callable[[], Samples]) -> list[float]:
    """Read the episode between two steps of ten."""
    steps = [trainer.step() for _ in range(9)]
    start = time.perf_counter()
    trainer.add(read())
    waited = time.perf_counter() - start
    return [*steps, waited + trainer.step()]


def on_thread(trainer: Trainer, read: Callable[[], Samples]) -> list[float]:
    """Step until a thread has read the episode, ten times at least."""
    ready: queue.Queue[Samples] = queue.Queue()
    threading.Thread(target=lambda: ready.put(read())).start()
    steps: list[float] = []
    arrived = False
    while len(steps) < 10 or not arrived:
        start = time.perf_counter()
        if not arrived and not ready.empty():
            trainer.add(ready.get())
            arrived = True
        waited = time.perf_counter() - start
        steps.append(waited + trainer.step())
    return steps


def record(store: EpisodeStore, robot: RobotModel, seconds: float) -> Path:
    """Record an episode that a person drives, with noisy 640 x 480 images at each transition."""
    meta = EpisodeMeta(
        episode_id="e1", task="t", robot=robot.name, arms=("left",), names=robot.names
    )
    rng = np.random.default_rng(0)
    low = rng.integers(0, 256, (60, 80, 3), np.uint8)
    jpeg = encode_jpeg(np.kron(low, np.ones((8, 8, 1), np.uint8)))
    recording = start_recording(store, meta)
    for tick in range(round(30 * seconds)):
        stamp = 10**18 + to_ns(tick / 30)
        position = robot.home + 0.002 * tick
        recording.joint_state(stamp, position)
        logged = recording.executed(
            stamp, tick=tick, epoch=1, authority=Authority.HUMAN, position=position
        )
        for camera in CAMERAS if logged else ():
            recording.jpeg(camera, logged, jpeg)
    recording.finish("done")
    return store.path("e1")


def _summary(steps: list[float]) -> dict[str, float]:
    ordered = sorted(1e3 * step for step in steps)
    return {
        "steps": len(ordered),
        "p50_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "longest_ms": round(ordered[-1], 1),
    }


if __name__ == "__main__":
    main()
