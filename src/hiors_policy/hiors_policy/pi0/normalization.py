# SPDX-License-Identifier: Apache-2.0
"""Scale of states and actions: what the network sees against physical units.

It travels inside the checkpoint, so that weights are never used with another's scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiors_core.errors import InvalidValue, UnknownName

Array = NDArray[np.float64]
Kind = Literal["mean_std", "quantile", "identity"]
KINDS: tuple[Kind, ...] = ("mean_std", "quantile", "identity")
_EPS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Statistics of one vector, each (n,) in the vector's units."""

    mean: Array
    std: Array
    q01: Array
    q99: Array

    @classmethod
    def make(cls, values: Mapping[str, ArrayLike]) -> "Scale":
        """Read statistics; quantiles that are not known count as mean -+ 2.3263 std."""
        if "mean" not in values or "std" not in values:
            raise InvalidValue(f"Statistics need mean and std, got {sorted(values)}")
        mean, std = _array(values["mean"]), _array(values["std"])
        q01 = _array(values.get("q01", mean - 2.3263 * std))
        q99 = _array(values.get("q99", mean + 2.3263 * std))
        for name, value in (("std", std), ("q01", q01), ("q99", q99)):
            if value.shape != mean.shape:
                raise InvalidValue(f"{name} has shape {value.shape}, mean has {mean.shape}")
        if np.any(std < 0.0) or np.any(q99 < q01):
            raise InvalidValue("Statistics need std >= 0 and q99 >= q01")
        return cls(mean=mean, std=std, q01=q01, q99=q99)

    @classmethod
    def fit(cls, samples: ArrayLike, floor: float = 1e-3) -> "Scale":
        """Compute statistics of (T, n) samples.

        A column that hardly moves would be blown up by its own tiny spread: its std is raised to
        ``floor`` (in the column's unit) and its quantiles are opened alike.
        """
        rows = np.asarray(samples, dtype=np.float64)
        if rows.ndim != 2 or len(rows) < 2 or not np.all(np.isfinite(rows)):
            raise InvalidValue(f"Samples must be finite, (T >= 2, n); got shape {rows.shape}")
        low, high = np.quantile(rows, [0.01, 0.99], axis=0)
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, floor)
        std = np.maximum(rows.std(axis=0), floor)
        return cls.make(
            {"mean": rows.mean(axis=0), "std": std, "q01": middle - half, "q99": middle + half}
        )

    def as_dict(self) -> dict[str, list[float]]:
        return {name: getattr(self, name).tolist() for name in ("mean", "std", "q01", "q99")}

    def offset_factor(self, kind: Kind) -> tuple[Array, Array]:
        """Return offset and factor: scaled = (value - offset) / factor."""
        if kind == "mean_std":
            return self.mean, self.std + _EPS
        if kind == "quantile":
            return (self.q01 + self.q99 + _EPS) / 2, (self.q99 - self.q01 + _EPS) / 2
        return np.zeros_like(self.mean), np.ones_like(self.mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalizer:
    """Scales states and actions and pads them to the network's columns."""

    state: Scale
    action: Scale
    kind: Kind = "mean_std"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("normalisation", self.kind, KINDS)

    @classmethod
    def identity(cls, state_columns: int, action_columns: int) -> "Normalizer":
        """Return a normaliser that only pads."""
        scales = [
            Scale.make({"mean": np.zeros(n), "std": np.ones(n)})
            for n in (state_columns, action_columns)
        ]
        return cls(state=scales[0], action=scales[1], kind="identity")

    def scale_state(self, state: ArrayLike, columns: int) -> NDArray[np.float32]:
        """Return (..., columns) for a state (..., n) in physical units."""
        return _scale(self.state, self.kind, state, columns, "state")

    def scale_actions(self, actions: ArrayLike, columns: int) -> NDArray[np.float32]:
        """Return (..., H, columns) for actions (..., H, n) in physical units."""
        return _scale(self.action, self.kind, actions, columns, "action")

    def unscale_actions(self, scaled: ArrayLike) -> Array:
        """Return actions (..., H, n) in physical units; padded columns are cut."""
        offset, factor = self.action.offset_factor(self.kind)
        rows = np.asarray(scaled, dtype=np.float64)[..., : len(offset)]
        return rows * factor + offset

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers; the part "norm_stats" is openpi's norm_stats.json."""
        stats = {"state": self.state.as_dict(), "actions": self.action.as_dict()}
        return {"kind": self.kind, "norm_stats": stats}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Normalizer":
        """Read what ``as_dict`` or openpi's norm_stats.json holds."""
        stats = data.get("norm_stats", data)
        if not isinstance(stats, Mapping) or not {"state", "actions"} <= set(stats):
            raise InvalidValue("norm_stats must hold 'state' and 'actions'")
        return cls(
            state=Scale.make(stats["state"]),
            action=Scale.make(stats["actions"]),
            kind=data.get("kind", "mean_std"),
        )


def _scale(
    scale: Scale, kind: Kind, value: ArrayLike, columns: int, name: str
) -> NDArray[np.float32]:
    rows = np.asarray(value, dtype=np.float64)
    offset, factor = scale.offset_factor(kind)
    if rows.shape[-1] != len(offset):
        raise InvalidValue(
            f"The {name} has {rows.shape[-1]} columns, its statistics have {len(offset)}. "
            "Use the statistics of this robot, or another checkpoint."
        )
    if len(offset) > columns:
        raise InvalidValue(f"The {name} has {len(offset)} columns, the network takes {columns}")
    padded = np.zeros((*rows.shape[:-1], columns), dtype=np.float32)
    padded[..., : len(offset)] = (rows - offset) / factor
    return padded


def _array(value: ArrayLike) -> Array:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise InvalidValue(f"Statistics must be finite vectors, got shape {array.shape}")
    array.setflags(write=False)
    return array
