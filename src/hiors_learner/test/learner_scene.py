# SPDX-License-Identifier: Apache-2.0
"""Small episodes, settings and runs for the tests of the learner."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.durable import sha256_file
from hiors_core.label import Label, Outcome
from hiors_core.link import Link, Notice
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.robot import RobotModel, load_robot
from hiors_core.store import EpisodeStore
from hiors_learner.data import Samples
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.network import NetworkSettings

ROOT = Path(__file__).parents[3]
ROBOT_FILE = ROOT / "config" / "robots" / "xtrainer.yaml"
TASK_FILE = ROOT / "config" / "tasks" / "insert_moisturizer.yaml"
START = 1_700_000_000 * 10**9
TICK = 1.0 / 30.0
SMALL = {
    "policy": {"horizon": 4, "width": 16, "blocks": 1},
    "data": {"batch_size": 8, "min_transitions": 4},
    "optimizer": {"warm_up": 2},
    "output": {"log_every": 5, "publish_every": 20, "publish_paced": 5, "save_every": 20},
}


@cache
def robot() -> RobotModel:
    return load_robot(ROBOT_FILE, ["left"])


def policy(seed: int = 0) -> FlowPolicy:
    network = NetworkSettings(width=16, blocks=1, image_size=16)
    settings = FlowSettings(horizon=4, objects=("box", "hole"), network=network)
    return FlowPolicy(robot(), settings, seed=seed)


def record(
    store: EpisodeStore,
    episode_id: str,
    seconds: float = 1.0,
    outcome: Outcome = Outcome.SUCCESS,
    seed: int = 0,
    rest: float = 0.0,
    alone: float = 0.0,
) -> Path:
    """Record an episode in which every joint moves steadily after ``rest`` seconds and a person
    takes over after ``alone`` seconds; return its folder.
    """
    rng = np.random.default_rng(seed)
    direction = rng.uniform(-0.2, 0.2, 7) + 0.1
    meta = EpisodeMeta(
        episode_id=episode_id,
        task="insert_moisturizer",
        robot="xtrainer",
        arms=("left",),
        names=robot().names,
    )
    recording = start_recording(store, meta)
    for tick in range(round(seconds / TICK) + 1):
        t = tick * TICK
        stamp = START + to_ns(t)
        position = robot().home + direction * max(0.0, t - rest)
        position[-1] = 1.0 if t < seconds / 2 else 0.0
        recording.joint_state(stamp, position)
        for i, name in enumerate(("box", "hole")):
            spot = np.array([0.1 * i + 0.05 * direction[0], -0.4, 0.05, 0.0, 0.0, 0.0, 1.0])
            recording.object_pose(name, stamp, spot)
        who = Authority.HUMAN if t >= alone else Authority.POLICY
        recording.executed(stamp, tick=tick, epoch=1, authority=who, position=position)
    recording.finish("done")
    if outcome is not Outcome.NONE:
        store.set_label(
            episode_id,
            Label(outcome=outcome, episode_return=float(outcome == Outcome.SUCCESS), revision=1),
        )
    return store.path(episode_id)


def announce(run: Path, folder: Path, **changes: str) -> Path:
    """Leave the notice that the bridge would leave and return its path."""
    fields = {
        "episode_id": folder.name,
        "path": str(folder),
        "sha256": sha256_file(folder / "manifest.json"),
        "task": "insert_moisturizer",
    }
    link = Link(run / "link")
    link.send(Notice(**{**fields, **changes}))
    return link.inbox / f"{changes.get('episode_id', folder.name)}.json"


def ledger(run: Path) -> list[dict]:
    path = run / "link" / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def status(run: Path) -> dict:
    path = run / "link" / "status.json"
    return json.loads(path.read_text()) if path.exists() else {}


def settings_file(folder: Path, **changes: dict) -> Path:
    """Write a learner file with small sizes and return its path."""
    content = {**SMALL, **{k: {**SMALL.get(k, {}), **v} for k, v in changes.items()}}
    path = folder / "learner.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def samples(count: int, seed: int = 0) -> Samples:
    """Return random rows in the shapes of ``policy()``."""
    rng, model = np.random.default_rng(seed), policy()
    mask = np.ones((count, 4), bool)
    mask[::3, 2:] = False
    return Samples(
        states=rng.normal(size=(count, len(model.encoder.names))).astype(np.float32),
        images=np.zeros((count, 0, 16, 16, 3), np.uint8),
        tokens=np.zeros((count, 0), np.int32),
        actions=rng.normal(size=(count, 4, 7)).astype(np.float32),
        mask=mask,
        weight=np.ones(count, np.float32),
    )
