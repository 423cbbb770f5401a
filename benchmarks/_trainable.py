# SPDX-License-Identifier: Apache-2.0
"""From an accepted episode to the training set, stage by stage, for the benchmark `transport`.

The bridge's logic looks as often as its node does; link and learner are the real ones: the learner
is a process that trains all the while on images of three cameras.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from hiors_bridge.bridge import Bridge
from hiors_core.acceptance import AcceptanceRule, AcceptanceRules
from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock, to_ns
from hiors_core.images import encode_jpeg
from hiors_core.label import Outcome, judge
from hiors_core.link import Link
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import EpisodeRecording, start_recording
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_learner.launch import environment
from hiors_link.actor import Actor, ActorSettings
from hiors_link.server import Server

CONFIG = Path(__file__).parents[1] / "config"
ROBOT_FILE, TASK_FILE = CONFIG / "robots/xtrainer.yaml", CONFIG / "tasks/insert_moisturizer.yaml"
ROBOT = load_robot(ROBOT_FILE, ["left"])
CAMERAS = ("top", "left_wrist", "right_wrist")
CLOCK = SteadyClock()
SECONDS = 20.0
_LOOK = 0.05
"""As bridge_node looks [s]."""
_TRAINING = {
    "policy": {"cameras": list(CAMERAS), "width": 64, "blocks": 2},
    "data": {"batch_size": 16, "min_transitions": 20},
    "pacing": {"utd": 1000.0},
    "output": {"publish_every": 10**6, "publish_paced": 10**6, "save_every": 10**6},
}
"""Always training, never publishing."""
KINDS = {"usual": 0.2, "all by a person": 1.0}
"""Share of an episode in which a person drives: 49 or 201 transitions (eq. 6)."""
STAGES = ("sealed", "decided", "link", "read", "in training set")


def learn(run: Path) -> None:
    """Be the learner, and note when an episode is in the training set (for this benchmark's own
    process).
    """
    from hiors_learner import learner, train

    add, log = learner.Learner.add, run / "added"

    def noted(self: learner.Learner, *words: object, **more: object) -> None:
        add(self, *words, **more)  # type: ignore[arg-type]
        with log.open("a") as file:
            file.write(f"{CLOCK.now()}\n")

    learner.Learner.add = noted  # type: ignore[method-assign, assignment]
    files = {"--robot": ROBOT_FILE, "--task": TASK_FILE, "--run": run}
    files |= {"--config": run / "learner.yaml", "--policy": "vision"}
    sys.argv = ["train", *(str(word) for pair in files.items() for word in pair)]
    os.nice(10)
    sys.exit(train.main())


class Journey:
    """One robot, one learner, and what becomes of an episode between them.

    Args:
        remote: the learner has a run folder of its own and is reached by ZeroMQ.
    """

    def __init__(self, folder: Path, *, remote: bool) -> None:
        self._robot, self._remote = folder / "robot", remote
        self._learner = folder / "learner" if remote else self._robot
        self._store = EpisodeStore(self._robot / "store")
        self._link, self._entries = Link(self._robot / "link"), Link(self._learner / "link")
        rules = AcceptanceRules(default=AcceptanceRule(min_length=1.0, max_gap=60.0))
        self._bridge = Bridge(self._store, self._link, rules, ROBOT, label_grace=0.0)
        self._jpeg = [_picture(i) for i in range(8)]
        self._stop, self._threads = threading.Event(), []
        self._actor: Actor | None = None
        if remote:
            server = Server(self._learner, "tcp://127.0.0.1:0", CLOCK)
            settings = ActorSettings(address=server.address, actor="robot1")
            own = Link(self._robot / "link")
            self._actor = Actor(own, self._robot / "checkpoints", settings, CLOCK)
            runs = [server.run, self._actor.run]
            self._threads = [threading.Thread(target=run, args=(self._stop,)) for run in runs]
            for thread in self._threads:
                thread.start()
        self._process = self._train()
        self.size = 0
        # Its imports alone can take a minute from a cold disk.
        _wait(lambda: self._entries.status() is not None, "the learner to start", 240.0)
        self.run("first", 1.0)

    def close(self) -> None:
        """End all of it."""
        self._process.kill()
        self._process.wait()
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def run(self, name: str, share: float) -> dict[str, float]:
        """Record an episode, a person's by that share; return how long each stage takes [s]."""
        recording = self._record(name, share)
        begun = CLOCK.now()
        self.size = recording.finish("labelled").size
        self._store.set_label(name, judge(Outcome.SUCCESS, stamp=CLOCK.now()))
        labelled, before = CLOCK.now(), self._added()
        while name not in {e.episode_id for e in self._bridge.step(CLOCK.now()) if e.decision}:
            time.sleep(_LOOK)
        decided = arrived = CLOCK.now()
        if self._actor is not None:
            _wait(lambda: name not in self._link.waiting(), "the episode to be stored")
            arrived = CLOCK.now()
        _wait(lambda: len(self._added()) > len(before), "the episode to be trainable")
        read, added = self._taken(name), self._added()[-1]
        stamps = [begun, labelled, decided, arrived, read, added]
        self._bridge.step(CLOCK.now())
        return dict(zip(STAGES, np.diff(stamps) / 1e9, strict=True))

    def _taken(self, name: str) -> int:
        lines = (self._learner / "link" / "ledger.jsonl").read_text().splitlines()
        return next(int(e["stamp"]) for e in map(json.loads, lines) if e["episode_id"] == name)

    def _added(self) -> list[int]:
        log = self._learner / "added"
        return [int(line) for line in log.read_text().split()] if log.exists() else []

    def _train(self) -> "subprocess.Popen[bytes]":
        self._learner.mkdir(exist_ok=True)
        (self._learner / "learner.yaml").write_text(yaml.safe_dump(_TRAINING))
        transport = Path(__file__).with_name("transport.py")
        words = [sys.executable, str(transport), "--role", "learner", "--folder"]
        return subprocess.Popen([*words, str(self._learner)], env=environment())

    def _record(self, name: str, share: float) -> EpisodeRecording:
        meta = EpisodeMeta(
            episode_id=name, task="insert_moisturizer", robot="xtrainer", names=ROBOT.names
        )
        recording = start_recording(self._store, meta)
        start = CLOCK.now() - to_ns(SECONDS)
        ticks = round(30 * SECONDS)
        for tick in range(ticks + 1):
            who = Authority.HUMAN if tick >= (1.0 - share) * ticks else Authority.POLICY
            stamp, position = start + to_ns(tick / 30.0), ROBOT.home + 0.001 * (tick % 300)
            recording.joint_state(stamp, position)
            for item in ("box", "hole"):
                recording.object_pose(item, stamp, np.array([0.1, -0.4, 0.05, 0, 0, 0, 1.0]))
            logged = recording.executed(
                stamp, tick=tick, epoch=1, authority=who, position=position
            )
            for i, camera in enumerate(CAMERAS):
                if logged:
                    recording.jpeg(camera, logged, self._jpeg[(tick + i) % len(self._jpeg)])
        return recording


def _picture(seed: int) -> bytes:
    """Return a 640 x 480 JPEG of about 70 kB: as much as a textured scene gives."""
    rough = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), np.uint8)
    return encode_jpeg(np.ascontiguousarray(rough.repeat(20, 0).repeat(20, 1)))


def _wait(condition: Callable[[], bool], what: str, patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {patience:.0f} s in vain for {what}")
        time.sleep(0.002)


def report(folder: Path, repeat: int) -> None:
    """Print the stages for both ways, as medians and 95th percentiles."""
    print(
        f"accepted episode of {SECONDS:.0f} s, 3 cameras of 640 x 480; the learner trains on"
        f" images meanwhile; [s] as p50 / p95, n = {repeat}"
    )
    print("| way | episode | MB | " + " | ".join(STAGES) + " | accepted to trainable |")
    print("|---|---|---|" + "---|" * (len(STAGES) + 1))
    for word, remote in (("files", False), ("ZeroMQ", True)):
        journey = Journey(folder / f"journey-{word}", remote=remote)
        try:
            for kind, share in KINDS.items():
                found = [journey.run(f"{kind[:3]}-{i}", share) for i in range(repeat)]
                columns = [np.array([one[stage] for one in found]) for stage in STAGES]
                cells = [_cell(column) for column in [*columns, np.sum(columns[1:], axis=0)]]
                row = [word, kind, f"{journey.size / 1e6:.0f}", *cells]
                print(f"| {' | '.join(row)} |", flush=True)
        finally:
            journey.close()


def _cell(times: np.ndarray) -> str:
    return f"{np.median(times):.2f} / {np.percentile(times, 95):.2f}"
