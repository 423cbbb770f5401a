# SPDX-License-Identifier: Apache-2.0
"""Averaged weights as checkpoints for the policy node, and latest.json that names the newest."""

from collections.abc import Sequence
from pathlib import Path

from hiors_core.clock import Clock
from hiors_policy.checkpoint import read_latest, read_manifest, save_checkpoint, write_latest
from hiors_policy.ema import MovingAverage
from hiors_policy.learnable import Learnable
from hiors_policy.manifest import CheckpointManifest


class Publisher:
    """Writes checkpoints of a policy of the same shape as the one that learns."""

    def __init__(self, policy: Learnable, parent: str, clock: Clock) -> None:
        self._policy = policy.twin()
        self._clock = clock
        self.parent = parent

    def publish(
        self, checkpoints: Path, average: MovingAverage, step: int, data_ids: Sequence[str]
    ) -> CheckpointManifest:
        """Write the next free version into the folder."""
        version = _free_version(checkpoints, step)
        return self.write(checkpoints / version, version, average, step, data_ids)

    def write(
        self,
        folder: Path,
        version: str,
        average: MovingAverage,
        step: int,
        data_ids: Sequence[str],
    ) -> CheckpointManifest:
        """Write one checkpoint and make it the newest of its folder."""
        # What does not learn is not averaged: the twin shares it.
        self._policy.network.load_state_dict(average.state(), strict=False)
        manifest = save_checkpoint(
            folder,
            self._policy,
            version=version,
            step=step,
            parent=self.parent,
            data_ids=data_ids,
            clock=self._clock,
        )
        write_latest(folder.parent, folder, manifest)
        self.parent = version
        return manifest


def newest_published(checkpoints: Path) -> tuple[str, int]:
    """Return version and online step of the checkpoint that latest.json names, or "" and 0."""
    folder = read_latest(checkpoints)
    if folder is None:
        return "", 0
    manifest = read_manifest(folder)
    return manifest.version, manifest.step if is_online_version(manifest) else 0


def is_online_version(manifest: CheckpointManifest) -> bool:
    """Tell whether an online learner published this checkpoint, so that its step counts."""
    return manifest.version.split(".")[0] == f"v{manifest.step:06d}"


def _free_version(checkpoints: Path, step: int) -> str:
    # After a crash the learner may come by the same step again with other data.
    version, again = f"v{step:06d}", 0
    while (checkpoints / version).exists():
        again += 1
        version = f"v{step:06d}.{again}"
    return version
