# SPDX-License-Identifier: Apache-2.0
"""Training targets: for each logged transition the executed actions that follow it, by time.

Knows the episode in memory and action spaces; nothing of files and training.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import ActionMapper
from hiors_core.clock import to_ns, to_s
from hiors_core.errors import InvalidValue
from hiors_core.filters import NO_OP_SPAN, relative_norm
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_core.track import Array, Track

if TYPE_CHECKING:
    from hiors_core.episode import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One pair (s_t, a_t) of eq. 5.

    Attributes:
        actions: (H, A) float32; row k is what was executed at the observation's stamp + (k + 1)
            dt.
        mask: (H,) False where the episode had ended: the row repeats the last action.
        index: of the mark in the episode. time: since the first control tick [s].
        motion: norm of the relative transform [m] over the first NO_OP_SPAN, see the filters.
        terminal: whether it is the last of its episode.
    """

    observation: Observation
    actions: NDArray[np.float32]
    mask: NDArray[np.bool_]
    authority: int
    index: int
    time: float
    episode_id: str
    motion: float = 0.0
    terminal: bool = False


def transitions(
    episode: "Episode",
    kind: str,
    horizon: int,
    dt: float,
    robot: RobotModel,
    *,
    images: bool = False,
) -> list[Transition]:
    """Return the transitions of an episode that have at least one action after them.

    A row is valid when its interval begins before the last control tick, so that the terminal
    action is in the labels that reach it; it never lies beyond the end.

    Args:
        kind: "joint" or "ee". horizon: H rows, ``dt`` [s] apart.
    """
    if horizon < 1 or not dt > 0.0:
        raise InvalidValue(f"A chunk needs horizon >= 1 and dt > 0 s, got {horizon} and {dt}")
    if episode.names != robot.names:
        raise InvalidValue(
            f"Episode {episode.episode_id} has the columns {', '.join(episode.names)};"
            f" robot {robot.name} has {', '.join(robot.names)}"
        )
    if not len(episode.stamps):
        return []
    end = int(episode.stamps[-1])
    kept = [i for i, mark in enumerate(episode.marks) if mark.stamp < end]
    if not kept:
        return []
    mapper = ActionMapper(robot)
    starts = np.array([episode.marks[i].stamp for i in kept], np.int64)
    steps = np.array([to_ns((k + 1) * dt) for k in range(horizon)], np.int64)
    rows = episode.actions.interpolate(np.minimum(starts[:, None] + steps, end))
    labels = _converted(mapper, rows, kind)
    valid = starts[:, None] + steps - to_ns(dt) < end
    motion = span_motion(episode, robot, min(NO_OP_SPAN, horizon * dt))
    return [
        _transition(
            episode, i, labels[j], valid[j], motion[i], terminal=i == kept[-1], images=images
        )
        for j, i in enumerate(kept)
    ]


def span_motion(episode: "Episode", robot: RobotModel, span: float) -> list[float]:
    """Return for each mark how far the tools were sent [m] within the ``span`` [s] after it."""
    if not len(episode.stamps):
        return [0.0] * len(episode.marks)
    actions = ActionMapper(robot).convert(episode.executed, "ee")
    return [
        relative_norm(actions[_ticks(episode.actions, mark.stamp, span)]) for mark in episode.marks
    ]


def _ticks(actions: Track, stamp: int, span: float) -> slice:
    """Return the ticks from the action in force at ``stamp`` to the last one within the span."""
    return slice(max(0, actions.count(stamp) - 1), actions.count(stamp + to_ns(span)))


def _converted(mapper: ActionMapper, rows: Array, kind: str) -> NDArray[np.float32]:
    flat = mapper.convert(rows.reshape(-1, rows.shape[-1]), kind)
    return flat.reshape(*rows.shape[:-1], -1).astype(np.float32)


def _transition(
    episode: "Episode",
    i: int,
    actions: NDArray[np.float32],
    mask: NDArray[np.bool_],
    motion: float,
    *,
    terminal: bool,
    images: bool,
) -> Transition:
    mark = episode.marks[i]
    actions.setflags(write=False)
    mask.setflags(write=False)
    return Transition(
        observation=episode.observation(i, images=images),
        actions=actions,
        mask=mask,
        authority=mark.authority,
        index=mark.index,
        time=to_s(mark.stamp - int(episode.stamps[0])),
        episode_id=episode.episode_id,
        motion=motion,
        terminal=terminal,
    )
