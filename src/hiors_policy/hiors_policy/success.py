# SPDX-License-Identifier: Apache-2.0
"""A learned judge of success as a file, with the robot and the features that it was trained on: a
recorded episode in, a probability out. Knows no training and no label.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch

from hiors_core.clock import to_ns
from hiors_core.durable import write_atomic
from hiors_core.episode import Episode
from hiors_core.errors import IntegrityError, InvalidValue
from hiors_core.robot import RobotModel
from hiors_policy import embodiment
from hiors_policy.observation import STATE_GROUPS, StateEncoder
from hiors_policy.reward import RewardNetwork, RewardSettings

FORMAT = "hiors-success-1"
_LARGEST = 64 * 2**20
_STEP = 0.1


class SuccessJudge:
    """Tells how much any moment of an episode looks like success, from object poses."""

    def __init__(
        self,
        network: RewardNetwork,
        robot: RobotModel,
        objects: Sequence[str],
        features: Sequence[str] = STATE_GROUPS,
    ) -> None:
        self.network, self.robot = network, robot
        self.encoder = StateEncoder(robot, objects, features)
        expected = network.settings.features
        if len(self.encoder.names) != expected or network.settings.cameras:
            raise InvalidValue(
                f"The judge sees {expected} features and {network.settings.cameras} cameras; robot"
                f" {robot.name} with {', '.join(objects)} gives {len(self.encoder.names)} and 0"
            )

    @property
    def threshold(self) -> float:
        """Probability from which on an episode counts as a success."""
        return self.network.settings.threshold

    def probability(self, episode: Episode) -> float:
        """Return the highest probability of success over the episode, looked at every 0.1 s."""
        if episode.names != self.robot.names:
            raise InvalidValue(
                f"Episode {episode.episode_id} has the columns {', '.join(episode.names)}; the"
                f" judge knows {', '.join(self.robot.names)}"
            )
        if not len(episode.stamps):
            raise InvalidValue(f"Episode {episode.episode_id} has no control tick")
        first, last = int(episode.stamps[0]), int(episode.stamps[-1])
        stamps = [*range(first, last, to_ns(_STEP)), last]
        states = np.stack([self.encoder.encode(episode.snapshot(s)) for s in stamps])
        return float(self.network.probability(torch.from_numpy(states)).max())


def save_judge(path: Path, judge: SuccessJudge) -> None:
    """Write a judge into one file."""
    about = {
        "format": FORMAT,
        "settings": dataclasses.asdict(judge.network.settings),
        "robot": embodiment.describe(judge.robot),
        "objects": judge.encoder.objects,
        "features": judge.encoder.groups,
    }
    tensors = {n: t.contiguous() for n, t in judge.network.state_dict().items()}
    write_atomic(path, safetensors.torch.save(tensors, {"about": json.dumps(about)}))


def load_judge(path: Path) -> SuccessJudge:
    """Read what save_judge wrote, or raise IntegrityError."""
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise IntegrityError(f"{path} is not the file of a learned judge")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']} is not {FORMAT}")
        network = RewardNetwork(RewardSettings(**about["settings"]))
        if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
            raise ValueError("weights that are not finite")
        network.load_state_dict(tensors)
        robot = embodiment.restore(about["robot"])
        return SuccessJudge(network.eval(), robot, about["objects"], about["features"])
    except (
        KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError,
    ) as error:  # fmt: skip
        raise IntegrityError(f"{path} is not the file of a learned judge: {error}") from error
