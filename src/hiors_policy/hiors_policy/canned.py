# SPDX-License-Identifier: Apache-2.0
"""A made-up observation that every policy can be run on: its chunk is stored with the weights and
compared at loading.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from hiors_core.kinematics import ArmKinematics
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_policy.flow_policy import FlowPolicy
from hiors_policy.learnable import Learnable
from hiors_policy.policy import PolicySpec

TOLERANCE = 1e-3
"""[m], [rad] or strokes by which a chunk may differ on another processor."""

_SEED = 0
_SIDE = 96
_STEP = 0.01


def canned_observation(robot: RobotModel, spec: PolicySpec) -> Observation:
    """Return an observation at the home position, with objects below the tool and gradients as
    images.
    """
    arm = robot.arms[0]
    tip = ArmKinematics(arm).forward(arm.home)[:3]
    offsets = [np.array([_STEP * (i + 1), -_STEP * i, -0.1]) for i in range(len(spec.objects))]
    objects = {
        name: np.concatenate([tip + offset, [0.0, 0.0, 0.0, 1.0]])
        for name, offset in zip(spec.objects, offsets, strict=True)
    }
    ramp = np.linspace(0, 255, _SIDE).astype(np.uint8)
    images = {
        name: np.stack(
            [np.roll(np.tile(ramp, (_SIDE, 1)), 17 * i + 5 * c, 1) for c in range(3)], -1
        )
        for i, name in enumerate(spec.cameras)
    }
    position = robot.home
    return Observation(
        stamp=0, position=position, command=position + 1e-3, objects=objects, images=images
    )


def run_canned(policy: FlowPolicy) -> dict[str, Any]:
    """Return what goes into the manifest: the seed and the chunk (H, A), grippers as the network
    gave them.
    """
    observation = canned_observation(policy.robot, policy.spec)
    return {"seed": _SEED, "chunk": policy.sample([observation], [_SEED])[0].round(6).tolist()}


def chunk_difference(policy: FlowPolicy, check: Mapping[str, Any]) -> float:
    """Return the largest difference between the stored chunk and the policy's now; inf when shapes
    differ.
    """
    observation = canned_observation(policy.robot, policy.spec)
    now = policy.sample([observation], [int(check.get("seed", _SEED))])[0]
    stored = np.asarray(check.get("chunk", []), np.float64)
    if stored.shape != now.shape or not np.all(np.isfinite(now)):
        return float("inf")
    return float(np.abs(now - stored).max())


def warm_up(policy: Learnable, instruction: str) -> float:
    """Make ready what is compiled or captured for the robot and run it once; return the time it
    took [s]. Before the robot may move: a first inference is far slower than the others. A policy
    with nothing to make ready is not run: loading it has.
    """
    began = time.perf_counter()
    observation = canned_observation(policy.robot, policy.spec)
    if policy.prepare(observation, instruction) > 0.0:
        policy.predict(observation, instruction, _SEED)
    return time.perf_counter() - began


def check_continues(policy: Learnable, instruction: str) -> None:
    """Raise InvalidValue unless the policy can go on from a chunk (hiors_policy.chunking)."""
    observation = canned_observation(policy.robot, policy.spec)
    chunk = policy.predict(observation, instruction, _SEED)
    policy.predict_after(observation, instruction, chunk[1:], 1, seed=_SEED)
