# SPDX-License-Identifier: Apache-2.0
"""From a manifest and a file of weights to a policy that is what it was when it was saved. Knows
not how a checkpoint is found or written.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from hiors_core.checkpoints import MANIFEST, MODEL
from hiors_core.errors import IntegrityError, UnknownName
from hiors_core.robot import RobotModel
from hiors_policy.canned import TOLERANCE, chunk_difference
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.hashes import Hashes
from hiors_policy.manifest import CheckpointManifest
from hiors_policy.network import NetworkSettings
from hiors_policy.rooms import Rooms
from hiors_policy.tensor_file import Content, finite, read_hashed

ARCHITECTURES = {"flow": "flow_mlp", "diffusion": "diffusion_v_mlp", "token": "token_mlp"}
"""What the manifest calls a network with each head."""
PI0 = "pi0"

_MAX_BYTES = 1 << 30


def restore(
    manifest: CheckpointManifest, robot: RobotModel, path: Path, rooms: Rooms | None
) -> FlowPolicy:
    """Return the policy of the folder ``path``, or raise IntegrityError or UnknownName.

    The network is built while its weights are read, and tried while they are looked at for NaN.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="weights") as pool:
        reading = pool.submit(_read, path / MODEL, manifest, rooms)
        with _Unfilled():
            policy = _build(manifest, robot, path)
        # The bytes that were hashed are those that are used.
        tensors = reading.result().tensors()
        _fill(policy, tensors, path)
        looking = pool.submit(refuse_nan, tensors, str(path / MODEL))
        try:
            difference = chunk_difference(policy, manifest.check)
        finally:
            # Weights that are not finite explain any other trouble.
            looking.result()
    if not difference <= TOLERANCE:
        raise IntegrityError(
            f"Checkpoint {path} gives another chunk for the canned observation than when it was"
            f" saved (off by {difference:.2g}): this code computes features or actions differently"
        )
    return policy


def refuse_nan(tensors: Mapping[str, Tensor], where: str) -> None:
    """Raise IntegrityError when a weight is not finite."""
    bad = [n for n, t in tensors.items() if not finite(t)]
    if bad:
        raise IntegrityError(f"{where}: weights that are not finite: {', '.join(bad)}")


def _build(manifest: CheckpointManifest, robot: RobotModel, path: Path) -> FlowPolicy:
    architecture = dict(manifest.architecture)
    name = str(architecture.pop("name", ""))
    if name not in ARCHITECTURES.values():
        known = [*ARCHITECTURES.values(), PI0]
        raise UnknownName("architecture", name, known, f"In {path / MANIFEST}.")
    if name != ARCHITECTURES.get(str(architecture.get("head", "flow"))):
        raise IntegrityError(f"Checkpoint {path}: {name} has no head {architecture['head']!r}")
    spec = manifest.spec
    try:
        settings = FlowSettings(
            kind=spec.kind,
            horizon=spec.horizon,
            dt=spec.dt,
            objects=spec.objects,
            cameras=spec.cameras,
            features=tuple(manifest.features["groups"]),
            binary_gripper=bool(architecture.pop("binary_gripper")),
            network=NetworkSettings(**architecture),
        )
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"Checkpoint {path}: architecture: {error!r}") from error
    policy = FlowPolicy(robot, settings)
    if policy.spec != spec:
        raise IntegrityError(
            f"Checkpoint {path}: its action columns {spec.names} {spec.units} are not those of"
            f" robot {robot.name} in space '{spec.kind}': {policy.spec.names} {policy.spec.units}"
        )
    if list(policy.encoder.names) != manifest.features.get("names"):
        raise IntegrityError(
            f"Checkpoint {path}: its features are not those that this code computes"
        )
    return policy


def _read(path: Path, manifest: CheckpointManifest, rooms: Rooms | None) -> Content:
    try:
        size = path.stat().st_size
        if size != manifest.size or size > _MAX_BYTES:
            raise IntegrityError(f"{path} is {size} bytes long instead of {manifest.size}")
        length, parts = manifest.part_size, manifest.parts
        if parts:
            with suppress(IntegrityError):
                expected = Hashes(kind=manifest.part_hash, length=length, parts=parts)
                return read_hashed(path, expected, rooms)
        # Who changed the weights may know of this hash only.
        whole = Hashes(kind="sha256", length=max(size, 1), parts=(manifest.sha256,))
        return read_hashed(path, whole, rooms)
    except OSError as error:
        raise IntegrityError(f"Cannot read {path}: {error}") from error


class _Unfilled(TorchFunctionMode):
    """Leaves out, on this thread, the random values of weights that are replaced anyway."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # nn.init asks before it calls the tensor's own method, and a mode is not asked twice.
        given = kwargs or {}
        of_init = getattr(func, "__module__", "") == nn.init.__name__
        if of_init or func in (Tensor.uniform_, Tensor.normal_):
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)


def _fill(policy: FlowPolicy, tensors: Mapping[str, Tensor], path: Path) -> None:
    own: Mapping[str, Tensor] = policy.network.state_dict()
    found: list[Any] = [f"missing {n}" for n in own if n not in tensors]
    found += [f"unexpected {n}" for n in tensors if n not in own]
    found += [
        f"{n} is {tuple(t.shape)} {t.dtype} instead of {tuple(own[n].shape)} {own[n].dtype}"
        for n, t in tensors.items()
        if n in own and (t.shape != own[n].shape or t.dtype != own[n].dtype)
    ]
    if found:
        raise IntegrityError(f"{path / MODEL} has other weights: {'; '.join(found)}")
    # Assigned, not copied: the bytes that were read become the weights.
    policy.network.load_state_dict(dict(tensors), assign=True)
