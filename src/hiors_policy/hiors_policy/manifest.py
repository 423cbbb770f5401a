# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint says of itself, and what its user may expect of it. Knows no weights."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hiors_core.errors import IntegrityError, UnknownName
from hiors_core.names import check_version
from hiors_core.robot import RobotModel
from hiors_policy.embodiment import differences
from hiors_policy.hashes import HASHERS
from hiors_policy.policy import PolicySpec

FORMAT = 2
"""1: a chunk's steps began at the command in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointManifest:
    """Content of manifest.json.

    Attributes:
        version: name of its folder. spec: action columns, horizon and streams, as PolicySpec.
        step: optimiser steps. parent: version it was trained from, or "".
        created: stamp [ns]. data_ids: episodes it has seen.
        sha256, size: of model.safetensors.
        architecture: name and sizes of the network. features: groups and names of the state
            vector.
        robot: description of the robot (hiors_policy.embodiment).
        check: seed and chunk (H, A) of the canned observation.
        part_size, parts: hash of each so many bytes of model.safetensors, so that several threads
            can hash it; empty: it is hashed as a whole.
        part_hash: name of the hash of the parts, blake3 or (where an older manifest names none)
            sha256.
    """

    version: str
    step: int
    parent: str
    created: int
    data_ids: tuple[str, ...]
    sha256: str
    size: int
    architecture: Mapping[str, Any]
    spec: PolicySpec
    features: Mapping[str, Any]
    robot: Mapping[str, Any]
    check: Mapping[str, Any]
    part_size: int = 0
    parts: tuple[str, ...] = ()
    part_hash: str = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a user of a checkpoint relies on; None accepts anything.

    Attributes:
        robot: whose arms must have the same joints, kinematics and home.
        kind, names, units, horizon, dt: as in PolicySpec. architecture: name of the network.
        objects, cameras: streams that exist; the policy may need no others.
    """

    robot: RobotModel | None = None
    kind: str | None = None
    names: tuple[str, ...] | None = None
    units: tuple[str, ...] | None = None
    horizon: int | None = None
    dt: float | None = None
    architecture: str | None = None
    objects: tuple[str, ...] | None = None
    cameras: tuple[str, ...] | None = None


def expect_spec(
    spec: PolicySpec, robot: RobotModel | None = None, *, streams: bool = False
) -> Expectation:
    """Return the expectation of a policy that can take this one's place.

    With ``streams`` it may also look at no other objects and cameras.
    """
    return Expectation(
        robot=robot,
        kind=spec.kind,
        names=spec.names,
        units=spec.units,
        horizon=spec.horizon,
        dt=spec.dt,
        objects=spec.objects if streams else None,
        cameras=spec.cameras if streams else None,
    )


def mismatches(manifest: CheckpointManifest, robot: RobotModel, expect: Expectation) -> list[str]:
    """Return one sentence for each way in which a checkpoint is not what was expected."""
    found = differences(robot, expect.robot) if expect.robot else []
    spec = manifest.spec
    for name in ("kind", "names", "units", "horizon", "dt"):
        wanted, has = getattr(expect, name), getattr(spec, name)
        if wanted is None:
            continue
        same = math.isclose(wanted, has) if name == "dt" else wanted == has
        if not same:
            found.append(f"{name}: {_show(has)} instead of {_show(wanted)}")
    if expect.architecture not in (None, manifest.architecture.get("name")):
        has = manifest.architecture.get("name")
        found.append(f"architecture: {has} instead of {expect.architecture}")
    for name in ("objects", "cameras"):
        there = getattr(expect, name)
        lacking = [n for n in getattr(spec, name) if there is not None and n not in there]
        if lacking:
            found.append(f"{name}: needs {_show(tuple(lacking))}, there is {_show(there)}")
    return found


def to_json(manifest: CheckpointManifest) -> dict[str, Any]:
    """Return the manifest as plain JSON values."""
    return {"format": FORMAT, **dataclasses.asdict(manifest)}


def from_json(data: Mapping[str, Any]) -> CheckpointManifest:
    """Return the manifest, or raise IntegrityError or UnknownName for what is wrong."""
    body = dict(data)
    if body.pop("format", None) != FORMAT:
        raise IntegrityError(
            f"manifest format {data.get('format')} is not {FORMAT}: train the policy again"
        )
    try:
        spec: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in body.pop("spec").items()
        }
        manifest = CheckpointManifest(
            spec=PolicySpec(**spec),
            data_ids=tuple(body.pop("data_ids")),
            part_size=int(body.pop("part_size", 0)),
            parts=tuple(body.pop("parts", ())),
            **body,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"manifest is not complete: {error!r}") from error
    if (kind := str(manifest.part_hash)) not in HASHERS:
        raise UnknownName("part_hash", kind, HASHERS, "In the manifest.")
    check_version(manifest.version)
    return manifest


def _show(value: object) -> str:
    return ", ".join(map(str, value)) or "(none)" if isinstance(value, tuple) else str(value)
