# SPDX-License-Identifier: Apache-2.0
"""A robot, observations and a small policy for the tests."""

from functools import cache
from pathlib import Path

import numpy as np

from hiors_core.observation import Observation
from hiors_core.robot import RobotModel, load_robot
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.network import NetworkSettings
from hiors_policy.observation import VISION_GROUPS

ROBOT_FILE = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"
TINY = NetworkSettings(width=32, blocks=1, image_size=32)


@cache
def robot(*arms: str) -> RobotModel:
    return load_robot(ROBOT_FILE, arms or ["left"])


def pose(x: float, y: float, z: float, yaw: float = 0.0) -> np.ndarray:
    return np.array([x, y, z, 0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)])


def observation(seed: int = 0, cameras: tuple[str, ...] = (), **changes) -> Observation:
    rng = np.random.default_rng(seed)
    position = robot().home + rng.uniform(-0.05, 0.05, 7)
    position[-1] = 0.8
    fields = {
        "stamp": 10**18 + seed,
        "position": position,
        "command": position + rng.uniform(-0.01, 0.01, 7),
        "objects": {
            "box": pose(-0.2, -0.37 + rng.uniform(-0.05, 0.05), 0.09, 0.3),
            "hole": pose(0.02, -0.37, 0.05),
        },
        "images": {c: rng.integers(0, 256, (48, 64, 3), np.uint8) for c in cameras},
    }
    return Observation(**{**fields, **changes})


def state_policy(seed: int = 0, **changes) -> FlowPolicy:
    fields = {"objects": ("box", "hole"), "network": TINY, "horizon": 8, **changes}
    return FlowPolicy(robot(), FlowSettings(**fields), seed=seed)


def vision_policy(seed: int = 0) -> FlowPolicy:
    cameras = ("top", "left_wrist")
    settings = FlowSettings(cameras=cameras, features=VISION_GROUPS, network=TINY, horizon=8)
    return FlowPolicy(robot(), settings, seed=seed)


def shake(policy: FlowPolicy, seed: int = 1) -> FlowPolicy:
    """Give every weight a random value, so that nothing is hidden behind a zero."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in policy.network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.05)
    return policy
