# SPDX-License-Identifier: Apache-2.0
"""What a policy predicts at the logged transitions of recorded episodes, beside what was executed.

Noise comes from the episode's id and the transition: the same files give the same numbers.
"""

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import ActionMapper, unwrap_actions
from hiors_core.episode import Episode, transitions
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.filters import keep_moving
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_data.offline.episodes import JudgedEpisode
from hiors_policy.policy import Policy

Array = NDArray[np.float64]

BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Chunks of one episode at its M transitions that move, in both action spaces.

    Attributes:
        tools: (S, M, H, A) predicted "ee" actions, S draws of the noise.
        joints: (M, H, N) those of the first draw as joints and grippers.
        true_tools: (M, H, A), true_joints: (M, H, N) executed. mask: (M, H) valid rows.
        stamps: (M,) [ns]. authority: (M,) who drove. command: (M, N) in force.
    """

    tools: Array
    joints: Array
    true_tools: Array
    true_joints: Array
    mask: NDArray[np.bool_]
    stamps: NDArray[np.int64]
    authority: NDArray[np.uint8]
    command: Array


def predict_episode(
    policy: Policy, robot: RobotModel, judged: JudgedEpisode, samples: int
) -> Predicted | None:
    """Run the policy at the transitions of an episode that move; None when it has none.

    Where the robot stood still nothing is asked: the learner drops those too (section III-D).
    """
    episode, spec = judged.episode, policy.spec
    images = bool(spec.cameras)
    try:
        found = {
            kind: transitions(episode, kind, spec.horizon, spec.dt, robot, images=images)
            for kind in ("ee", "joint")
        }
        tools, joints = keep_moving(found["ee"]), keep_moving(found["joint"])
        if not tools:
            return None
        observations = [t.observation for t in tools]
        draws = np.stack(
            [
                _draw(policy, episode, observations, [t.index for t in tools], s)
                for s in range(samples)
            ]
        )
    except HiorsError as error:
        raise InvalidValue(f"Episode {episode.episode_id}: {error}") from error
    command = np.stack([o.command for o in observations])
    both = _both_spaces(robot, spec.kind, draws, command)
    return Predicted(
        tools=both[0],
        joints=both[1],
        true_tools=np.stack([t.actions for t in tools]).astype(np.float64),
        true_joints=np.stack([t.actions for t in joints]).astype(np.float64),
        mask=np.stack([t.mask for t in tools]),
        stamps=np.array([o.stamp for o in observations], np.int64),
        authority=np.array([t.authority for t in tools], np.uint8),
        command=command,
    )


def latencies(
    policy: Policy, judged: Sequence[JudgedEpisode], count: int, instruction: str = ""
) -> Array:
    """Return the time [s] of ``count`` single inferences on recorded observations."""
    images = bool(policy.spec.cameras)
    pool = [
        j.episode.observation(i, images=images)
        for j in judged[:4]
        for i in range(min(len(j.episode.marks), 16))
    ]
    if not pool:
        return np.empty(0)
    for observation in pool[:3]:
        policy.predict(observation, instruction=instruction, seed=0)
    times = []
    for i in range(count):
        start = time.perf_counter()
        policy.predict(pool[i % len(pool)], instruction=instruction, seed=i)
        times.append(time.perf_counter() - start)
    return np.array(times)


def _draw(
    policy: Policy,
    episode: Episode,
    observations: Sequence[Observation],
    indices: Sequence[int],
    sample: int,
) -> Array:
    seeds = [zlib.crc32(f"{episode.episode_id} {i} {sample}".encode()) for i in indices]
    rows = [
        policy.predict_batch(
            observations[at : at + BATCH],
            [episode.instruction] * len(observations[at : at + BATCH]),
            seeds[at : at + BATCH],
        )
        for at in range(0, len(observations), BATCH)
    ]
    chunks: Array = np.concatenate(rows)
    if not np.isfinite(chunks).all():
        bad = indices[int(np.argmin(np.isfinite(chunks).all(axis=(1, 2))))]
        raise HiorsError(f"the policy's chunk at transition {bad} is not finite")
    return chunks


def _both_spaces(
    robot: RobotModel, kind: str, draws: Array, command: Array
) -> tuple[Array, Array]:
    """Return the chunks (S, M, H, .) as tools, and those of the first draw as joints."""
    mapper = ActionMapper(robot)
    if kind == "joint":
        flat = mapper.convert(draws.reshape(-1, draws.shape[-1]), "ee")
        return flat.reshape(*draws.shape[:-1], -1), draws[0]
    joints = np.empty((*draws.shape[1:3], command.shape[1]))
    for m, chunk in enumerate(draws[0]):
        near = command[m]
        for k, action in enumerate(unwrap_actions(chunk, mapper.joint_to_ee(near))):
            near = joints[m, k] = mapper.ee_to_joint(action, near)
    return draws, joints
