# SPDX-License-Identifier: Apache-2.0
"""Small episodes for the tests, made as the simulator makes them."""

from functools import cache
from pathlib import Path

import numpy as np

from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.manifest import EpisodeMeta, Manifest
from hiors_core.recording import EpisodeRecording, start_recording
from hiors_core.robot import RobotModel, load_robot
from hiors_core.store import EpisodeStore

ROBOT_FILE = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"
START = 1_700_000_000 * 10**9
TICK = 1.0 / 30.0


@cache
def one_arm() -> RobotModel:
    return load_robot(ROBOT_FILE, ["left"])


def meta(episode_id: str = "e1", **changes: object) -> EpisodeMeta:
    fields = {"task": "insert", "instruction": "insert it", "robot": "xtrainer", "arms": ("left",)}
    fields |= {"names": one_arm().names, **changes}
    return EpisodeMeta(episode_id=episode_id, **fields)


def sweep(t: float) -> np.ndarray:
    """Executed position at time t: every joint moves at 0.1 rad/s, the gripper closes slowly."""
    position = one_arm().home.copy()
    position[:-1] += 0.1 * t
    position[-1] -= 0.05 * t
    return position


def feed(
    recording: EpisodeRecording,
    seconds: float,
    authority=lambda t: Authority.POLICY,
    position=sweep,
    image: np.ndarray | None = None,
    start: int = START,
) -> None:
    """Feed joint states, two objects and executed actions at 30 Hz, from 0 to ``seconds``."""
    for tick in range(round(seconds / TICK) + 1):
        t = tick * TICK
        stamp = start + to_ns(t)
        recording.joint_state(stamp, position(t) - 0.01)
        for name in ("box", "hole"):
            recording.object_pose(name, stamp, np.array([t, 0.1, 0.2, 0.0, 0.0, 0.0, 1.0]))
        who = authority(t)
        logged = recording.executed(
            stamp,
            tick=tick,
            epoch=1,
            authority=who,
            position=position(t),
            policy_version="v000000" if who == Authority.POLICY else "",
        )
        if logged and image is not None:
            recording.image("top", logged, image)


def record(
    store: EpisodeStore, episode_id: str = "e1", seconds: float = 2.0, **how: object
) -> Manifest:
    changes = how.pop("meta", {})
    recording = start_recording(store, meta(episode_id, **changes))
    feed(recording, seconds, **how)
    return recording.finish("labelled")
