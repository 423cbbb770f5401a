# SPDX-License-Identifier: Apache-2.0
"""The messages that the policy node sends."""

from hiors_core.observation import Array
from hiors_interfaces.msg import ActionChunk, CheckpointInfo
from hiors_policy.checkpoint import Checkpoint
from hiors_policy.policy import PolicySpec
from hiors_ros.conversions import floats, to_stamp


def chunk_message(
    spec: PolicySpec,
    values: Array,
    obs_stamp: int,
    sequence: int,
    epoch: int,
    version: str,
    now: int,
) -> ActionChunk:
    """Return the chunk (H, A) as a message. Stamps in [ns]."""
    message = ActionChunk(
        obs_stamp=to_stamp(obs_stamp),
        sequence=sequence,
        epoch=epoch,
        policy_version=version,
        action_space=spec.kind,
        names=list(spec.names),
        units=list(spec.units),
        dt=spec.dt,
        horizon=spec.horizon,
        values=floats(values),
    )
    message.header.stamp = to_stamp(now)
    return message


def checkpoint_message(checkpoint: Checkpoint, now: int) -> CheckpointInfo:
    """Say which checkpoint acts. ``now`` in [ns]."""
    manifest = checkpoint.manifest
    message = CheckpointInfo(
        version=manifest.version,
        path=str(checkpoint.folder),
        sha256=manifest.sha256,
        step=manifest.step,
        parent=manifest.parent,
        action_space=manifest.spec.kind,
        names=list(manifest.spec.names),
        horizon=manifest.spec.horizon,
        dt=manifest.spec.dt,
        active=True,
    )
    message.header.stamp = to_stamp(now)
    return message
