# SPDX-License-Identifier: Apache-2.0
"""How far predicted chunks are from what was executed: per joint, horizon and who drove.

Pure functions over arrays. The score is the norm of the no-op filter (section III-D): metres,
with a tool's rotation and a gripper's stroke weighed in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import EE_COLUMNS
from hiors_core.authority import Authority
from hiors_core.filters import METRES_PER_RADIAN, METRES_PER_STROKE, turn_angles
from hiors_data.offline.prediction import Predicted

Array = NDArray[np.float64]

SEGMENTS = {"policy": Authority.POLICY, "human": Authority.HUMAN}
HALF_OPEN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Errors of one checkpoint on one episode; NaN beyond the episode's end.

    Attributes:
        score: (M, H) norm of all below [m], mean over draws and arms.
        shift: (M, H) of the tool point [m]. turn: (M, H) of the tool [rad].
        joints: (M, H, N) absolute, [rad] and [1].
        authority: (M,) who drove.
        grips: gripper events of the episode.
    """

    score: Array
    shift: Array
    turn: Array
    joints: Array
    authority: NDArray[np.uint8]
    grips: "Grips"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grips:
    """Opening and closing within a chunk: predicted time minus executed time.

    Attributes:
        late: (E,) [s] for events that were executed and predicted.
        missed: executed in the first half of a chunk, not predicted anywhere in it.
        false: predicted in the first half, not executed anywhere in it. quiet: chunks without
            an executed event and not false.
    """

    late: Array
    missed: int
    false: int
    quiet: int

    @property
    def events(self) -> int:
        """Executed openings and closings."""
        return len(self.late) + self.missed


def errors_of(predicted: Predicted, dt: float, grippers: NDArray[np.intp]) -> Errors:
    """Return the errors of an episode; ``grippers`` are columns of the robot's vectors."""
    draws, m, h, width = predicted.tools.shape
    arms = width // EE_COLUMNS
    mine = predicted.tools.reshape(draws, m, h, arms, EE_COLUMNS)
    true = predicted.true_tools.reshape(1, m, h, arms, EE_COLUMNS)
    shift = np.linalg.norm(mine[..., :3] - true[..., :3], axis=-1)
    turn = turn_angles(mine[..., 3:6], true[..., 3:6])
    grip = np.abs(mine[..., 6] - true[..., 6])
    score = np.sqrt(shift**2 + (METRES_PER_RADIAN * turn) ** 2 + (METRES_PER_STROKE * grip) ** 2)
    gone = ~predicted.mask
    return Errors(
        score=_without(score.mean(axis=(0, 3)), gone),
        shift=_without(shift.mean(axis=(0, 3)), gone),
        turn=_without(turn.mean(axis=(0, 3)), gone),
        joints=_without(np.abs(predicted.joints - predicted.true_joints), gone),
        authority=predicted.authority,
        grips=_grips(predicted, dt, grippers),
    )


def crossing(values: Array, start: float, valid: NDArray[np.bool_]) -> tuple[float, bool] | None:
    """Return when (in rows) the values (H,) first leave the half of ``start``, and the direction.

    Row k lies at k + 1; linear in between. None when they stay.
    """
    opened = start > HALF_OPEN
    before = start
    for k in range(len(values)):
        if not valid[k]:
            return None
        value = float(values[k])
        if (value > HALF_OPEN) != opened:
            return k + (HALF_OPEN - before) / (value - before), not opened
        before = value
    return None


def _grips(predicted: Predicted, dt: float, grippers: NDArray[np.intp]) -> Grips:
    late: list[float] = []
    missed = false = quiet = 0
    # What comes near the end of a chunk may well lie just beyond it: neither missed nor false.
    half = predicted.mask.shape[1] / 2.0
    for m, valid in enumerate(predicted.mask):
        for g in grippers:
            start = float(predicted.command[m, g])
            true = crossing(predicted.true_joints[m, :, g], start, valid)
            mine = crossing(predicted.joints[m, :, g], start, valid)
            if true and mine:
                late.append((mine[0] - true[0]) * dt)
            if true:
                missed += mine is None and true[0] < half
                continue
            wrong = mine is not None and mine[0] < half
            false += wrong
            quiet += not wrong
    return Grips(late=np.array(late), missed=missed, false=false, quiet=quiet)


def _without(values: Array, gone: NDArray[np.bool_]) -> Array:
    result = np.array(values, np.float64)
    result[gone] = np.nan
    return result
