# SPDX-License-Identifier: Apache-2.0
"""A published pi0 as a checkpoint of hiors: for one robot, with statistics of its own episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hiors_core.episode import load_episode, transitions
from hiors_core.errors import InvalidValue
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_core.store import EpisodeStore
from hiors_policy.manifest import CheckpointManifest
from hiors_policy.pi0.adapter import Pi0Policy
from hiors_policy.pi0.architecture import tiny_config
from hiors_policy.pi0.checkpoint import save_checkpoint
from hiors_policy.pi0.codec import Pi0Settings, fit_normalizer
from hiors_policy.pi0.metadata import load_normalizer
from hiors_policy.pi0.model import Pi0
from hiors_policy.pi0.normalization import Normalizer
from hiors_policy.pi0.prompt import ByteTokenizer, Tokenizer, load_tokenizer
from hiors_policy.pi0.weights import load

TINY = "tiny"
"""Instead of a path: a tiny network with random weights, to try everything without a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """How a published network becomes a policy of a robot.

    Attributes:
        source: checkpoint of any format, or "tiny".
        demos: episode store to fit the statistics on; None takes those of the checkpoint.
        asset: whose statistics, when the checkpoint has several.
        horizon: rows of a chunk, or None for those of the checkpoint.
        dtype: number format of the weights; None keeps float32.
    """

    source: str
    settings: Pi0Settings
    demos: Path | None = None
    asset: str | None = None
    tokenizer: Path | None = None
    horizon: int | None = None
    dtype: torch.dtype = torch.float32


def adopt(job: Adoption, robot: RobotModel, destination: Path, version: str) -> CheckpointManifest:
    """Write the checkpoint, or raise HiorsError with what is missing or does not fit."""
    sizes = {} if job.horizon is None else {"horizon": job.horizon}
    if job.source == TINY:
        model = Pi0.random(tiny_config(prompt_tokens=48, **sizes), std=0.05, dtype=job.dtype)
        words: Tokenizer = ByteTokenizer()
    else:
        path = Path(job.source)
        words = load_tokenizer(job.tokenizer, path if path.is_dir() else path.parent)
        model = load(path, dtype=job.dtype, sizes=sizes)
    scales = _scales(job, robot, model.config.horizon)
    policy = Pi0Policy(robot, model, job.settings, scales, words)
    return save_checkpoint(destination, policy, version=version, step=0)


def _scales(job: Adoption, robot: RobotModel, horizon: int) -> Normalizer:
    if job.demos is not None:
        return fit_normalizer(robot, job.settings, _samples(job, robot, horizon))
    if job.source == TINY:
        raise InvalidValue("The tiny network has no statistics: give --demos STORE to fit them")
    found = load_normalizer(job.source, job.asset)
    if found is None:
        raise InvalidValue(
            f"{job.source} has no normalisation statistics: give --demos STORE, an episode store"
            " of this robot to fit them on"
        )
    return found


def _samples(
    job: Adoption, robot: RobotModel, horizon: int
) -> Sequence[tuple[Observation, NDArray[np.floating]]]:
    if job.demos is None or not (job.demos / "episodes").is_dir():
        raise InvalidValue(f"There is no episode store at {job.demos}")
    store, settings = EpisodeStore(job.demos), job.settings
    found = [
        (row.observation, row.actions[row.mask])
        for name in store.ids()
        for row in transitions(
            load_episode(store.path(name)), settings.kind, horizon, settings.dt, robot
        )
        if row.mask.any()
    ]
    if not found:
        raise InvalidValue(f"The episode store {job.demos} has no transition to fit statistics on")
    return found
