# SPDX-License-Identifier: Apache-2.0
"""Episodes and checkpoints for the tests of the bridge."""

import hashlib
import json
from pathlib import Path

from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.durable import write_document
from hiors_core.label import Outcome, judge
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore

CONFIG = Path(__file__).parents[3] / "config"
ROBOT_FILE = CONFIG / "robots" / "xtrainer.yaml"
TASK_FILE = CONFIG / "tasks" / "insert_moisturizer.yaml"
ROBOT = load_robot(ROBOT_FILE, ["left"])
START = 10**18


def record(store: EpisodeStore, name: str, seconds: float = 4.0, speed: float = 0.1) -> None:
    """Seal an episode in which every joint moves at ``speed`` [rad/s]."""
    meta = EpisodeMeta(episode_id=name, task="insert_moisturizer", names=ROBOT.names, f_low=5.0)
    recording = start_recording(store, meta)
    for tick in range(round(30 * seconds) + 1):
        position = ROBOT.home + speed * tick / 30.0
        stamp = START + to_ns(tick / 30.0)
        recording.executed(
            stamp, tick=tick, epoch=1, authority=Authority.POLICY, position=position
        )
        recording.joint_state(stamp, position)
    recording.finish("labelled")


def labelled(store: EpisodeStore, name: str, outcome=Outcome.SUCCESS, **how) -> None:
    record(store, name, **how)
    store.set_label(name, judge(outcome, stamp=START))


def publish(folder: Path, version: str, /, **changes) -> None:
    """Publish a checkpoint as the learner does."""
    path = folder / version
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(version.encode() * 100)
    content = {
        "version": version,
        "step": 120,
        "parent": "v000000",
        "size": len(version.encode() * 100),
        "sha256": hashlib.sha256(version.encode() * 100).hexdigest(),
        "spec": {"kind": "joint", "names": list(ROBOT.names), "horizon": 10, "dt": 0.1},
        **changes,
    }
    write_document(path / "manifest.json", content)
    write_document(folder / "latest.json", {"version": version, "path": str(path), "sha256": ""})


def learn(link: Path, name: str, kind: str = "online") -> None:
    """Write a line into the ledger as the learner does."""
    entry = {"episode_id": name, "sha256": "x", "kind": kind, "transitions": 9, "path": ""}
    with (link / "ledger.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")
