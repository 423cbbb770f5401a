# SPDX-License-Identifier: Apache-2.0
"""Reading, writing and converting pi0 checkpoints. A tensor too few, too many or of another shape
is an error that names it: a tower left random would still produce actions.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hiors_core.errors import IntegrityError, InvalidValue, UnknownName
from hiors_policy.pi0.architecture import Pi0Config, infer_config
from hiors_policy.pi0.keymaps import (
    EMBEDDING,
    FORMATS,
    TIED,
    UNUSED,
    canonical,
    canonical_names,
    detect,
    module_name,
    written,
)
from hiors_policy.pi0.lora import merged_state
from hiors_policy.pi0.metadata import load_normalizer, read_hints, write_metadata
from hiors_policy.pi0.model import Pi0
from hiors_policy.pi0.native import empty_native, fill_buffers
from hiors_policy.pi0.normalization import Normalizer
from hiors_policy.pi0.precision import stored_dtype
from hiors_policy.pi0.tensors import MODEL_FILE, TensorFiles, write_tensors
from hiors_policy.tensor_file import finite

_SHOWN = 6


def load(
    path: str | Path,
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    sizes: Mapping[str, Any] | None = None,
) -> Pi0:
    """Load a pi0 of any format (openpi, lerobot, lerobot before mid 2025, transformers).

    Args:
        path: a .safetensors file, or a folder with model.safetensors (or its index).
        dtype: float32, or bfloat16 (embeddings of patches, norms and heads stay float32).
        sizes: fields of Pi0Config that the checkpoint does not tell, such as ``vision_heads``;
            they go before its JSON files.

    Raises:
        IntegrityError: a tensor is missing, unexpected, misshapen or not finite, or the file is
            damaged. Nothing is returned then.
    """
    files = TensorFiles(Path(path))
    with files:
        names = canonical_names(files)
        shapes = {name: files.shapes[source] for name, source in names.items()}
        _refuse_other_models(path, names)
        config = infer_config(shapes, {**read_hints(files.folder), **(sizes or {})})
        check_shapes(str(path), shapes, config, detect(files))
        return Pi0(config, _filled(files, names, config, dtype)).to(device)


def from_tensors(
    config: Pi0Config, tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.float32
) -> Pi0:
    """Build a network from tensors under any format's names; the same checks as ``load``."""
    names = canonical_names(tensors)
    known = tensors.shapes if isinstance(tensors, TensorFiles) else None
    shapes = {
        name: known[source] if known else tuple(tensors[source].shape)
        for name, source in names.items()
    }
    check_shapes("The given state", shapes, config, detect(tensors))
    return Pi0(config, _filled(tensors, names, config, dtype))


def to_tensors(model: Pi0) -> dict[str, Tensor]:
    """Return the parameters under openpi's names, LoRA merged, without unused ones."""
    state = merged_state(model.native)
    return {_canonical(name): tensor for name, tensor in state.items()}


def save(
    folder: str | Path,
    model: Pi0,
    *,
    normalizer: Normalizer | None = None,
    fmt: str = "openpi",
    asset: str = "hiors",
) -> None:
    """Write a network in a format; ``load`` reads it back bit by bit."""
    _write(Path(folder), to_tensors(model), model.config, normalizer, fmt, asset)


def convert(
    source: str | Path,
    destination: str | Path,
    fmt: str,
    *,
    dtype: torch.dtype | None = None,
    asset: str | None = None,
) -> None:
    """Write the checkpoint at ``source`` as another format, with its statistics.

    Args:
        fmt: openpi, lerobot, lerobot_legacy or transformers.
        dtype: of the copied weights; None keeps each as it is.
        asset: whose statistics to take along when the source has several.
    """
    if fmt not in FORMATS:
        raise UnknownName("pi0 format", fmt, FORMATS)
    if Path(source).resolve() == Path(destination).resolve():
        raise InvalidValue(f"Source and destination are both {source}")
    with TensorFiles(Path(source)) as files:
        names = canonical_names(files)
        shapes = {name: files.shapes[origin] for name, origin in names.items()}
        _refuse_other_models(source, names)
        config = infer_config(shapes, read_hints(files.folder))
        check_shapes(str(source), shapes, config, detect(files))
        outlines = {name: files.outline(origin) for name, origin in names.items()}

        def read(name: str) -> Tensor:
            return _checked(files[names[EMBEDDING if name == TIED else name]], name)

        write = partial(_write, dtype=dtype, read=read)
        normalizer = load_normalizer(source, asset)
        write(Path(destination), outlines, config, normalizer, fmt, asset or "hiors")


def expected_shapes(config: Pi0Config) -> dict[str, tuple[int, ...]]:
    """Return canonical name and shape of every tensor that a network needs."""
    state = empty_native(config).state_dict()
    return {_canonical(name): tuple(tensor.shape) for name, tensor in state.items()}


def check_shapes(
    where: str, found: Mapping[str, tuple[int, ...]], config: Pi0Config, fmt: str
) -> None:
    """Raise IntegrityError unless ``found`` is what the network needs, unused tensors aside."""
    wanted = expected_shapes(config)
    found = {name: shape for name, shape in found.items() if name != UNUSED}
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    wrong = [
        f"{name} is {found[name]}, not {shape}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    kinds = (("missing", missing), ("unexpected", extra), ("misshapen", wrong))
    parts = [f"{len(names)} {kind}: {_few(names)}" for kind, names in kinds if names]
    if parts:
        raise IntegrityError(
            f"{where} (format {fmt}) does not fit this pi0: {'; '.join(parts)}. "
            "Check that it is a pi0 of these sizes; sizes that a file does not tell can be given."
        )


def _canonical(name: str) -> str:
    found = canonical(name)
    return name if found is None else found


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def _refuse_other_models(path: str | Path, names: Mapping[str, str]) -> None:
    if "time_mlp_in.weight" in names:
        raise InvalidValue(f"{path} holds a pi0.5, which hiors does not run: use a pi0")
    if "action_in_proj.weight" not in names:
        raise IntegrityError(
            f"{path} is no pi0: it has no action_in_proj.weight. Its first tensors are "
            f"{_few(names.values())}"
        )


def _checked(tensor: Tensor, name: str) -> Tensor:
    if not tensor.is_floating_point() or not finite(tensor):
        raise IntegrityError(f"The tensor {name} holds values that are not finite numbers")
    return tensor


def _filled(source: Any, names: Mapping[str, str], config: Pi0Config, dtype: torch.dtype) -> Any:
    native = empty_native(config)
    state = {}
    # What was read from a file is nobody else's.
    copy = not isinstance(source, TensorFiles)
    for name in expected_shapes(config):
        tensor = _checked(source[names[name]], name)
        state[module_name(name)] = tensor.to(stored_dtype(name, dtype), copy=copy)
    native.load_state_dict(state, strict=True, assign=True)
    fill_buffers(native, config)
    return native


def _write(
    folder: Path,
    tensors: dict[str, Tensor],
    config: Pi0Config,
    normalizer: Normalizer | None,
    fmt: str,
    asset: str,
    dtype: torch.dtype | None = None,
    read: Callable[[str], Tensor] | None = None,
) -> None:
    """``read`` gives the content of the tensors that are outlines; one is in memory at a time."""
    embedding = tensors[EMBEDDING]
    tensors = {name: tensor for name, tensor in tensors.items() if name != EMBEDDING}
    tensors[TIED] = embedding
    if UNUSED not in tensors:
        # openpi and lerobot load strictly and want the expert's unused output layer.
        nothing = torch.zeros(1, dtype=embedding.dtype)
        tensors[UNUSED] = nothing.expand(config.vocab, config.expert_width)
    own = {written(name, fmt): name for name in tensors}
    renamed = {name: tensors[origin] for name, origin in own.items()}

    def change(name: str, tensor: Tensor) -> Tensor:
        if read and tensor.is_meta and tensor.numel():
            tensor = read(own[name])
        return tensor if dtype is None else tensor.to(stored_dtype(own[name], dtype))

    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        write_tensors(folder / MODEL_FILE, renamed, change)
        write_metadata(folder, fmt, config, normalizer, asset)
    except BaseException:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
