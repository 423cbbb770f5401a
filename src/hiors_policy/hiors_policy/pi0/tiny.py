# SPDX-License-Identifier: Apache-2.0
"""A tiny pi0 with random weights as a policy: to try the whole stack on a CPU, and for tests."""

import numpy as np
import torch

from hiors_core.robot import RobotModel
from hiors_policy import pi0
from hiors_policy.pi0.adapter import Pi0Policy
from hiors_policy.pi0.codec import Pi0Settings
from hiors_policy.pi0.prompt import ByteTokenizer


def tiny_policy(
    robot: RobotModel,
    cameras: tuple[str, ...] = (),
    seed: int = 0,
    config: pi0.Pi0Config | None = None,
) -> Pi0Policy:
    """Return a policy in joints, H = 10, dt = 0.1 s, that has learned nothing."""
    config = config or pi0.tiny_config(layers=2)
    columns = len(robot.names)
    scale = pi0.Scale.make({"mean": np.zeros(columns), "std": np.full(columns, 0.05)})
    settings = Pi0Settings(kind="joint", cameras=cameras, dt=0.1, steps=3)
    model = pi0.Pi0.random(config, seed, std=0.05, dtype=torch.float32)
    normalizer = pi0.Normalizer(state=scale, action=scale)
    return Pi0Policy(robot, model, settings, normalizer, ByteTokenizer())
