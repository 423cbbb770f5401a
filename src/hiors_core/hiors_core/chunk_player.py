# SPDX-License-Identifier: Apache-2.0
"""The policy's side of the arbiter: its chunks played as wishes, and what is done when they end.

What is accepted and blended is ``hiors_core.chunk``. Knows no authority.
"""

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import EE_COLUMNS, ActionMapper, action_space
from hiors_core.arbiter_settings import ArbiterSettings
from hiors_core.chunk import Chunk, ChunkBuffer, Sample
from hiors_core.clock import to_ns, to_s
from hiors_core.motion import Motion
from hiors_core.robot import RobotModel
from hiors_core.wish import Wish

Array = NDArray[np.float64]


class ChunkPlayer:
    """Plays what it is given; notices a starvation, after which fresh chunks may resume."""

    def __init__(self, mapper: ActionMapper, settings: ArbiterSettings) -> None:
        self._mapper, self._settings = mapper, settings
        spaces = tuple(action_space(mapper.robot, kind) for kind in settings.action_spaces)
        self._buffer = ChunkBuffer(spaces, settings.chunk)
        self._nothing = np.zeros(len(mapper.robot.names), dtype=np.bool_)
        self._starving: int | None = None
        self._resume_until: int | None = None
        self.starvations = 0
        """How often the chunks ended before there were fresh ones."""

    @property
    def version(self) -> str:
        """Version of the newest chunk; empty without one."""
        newest = self._buffer.newest
        return newest.policy_version if newest is not None else ""

    @property
    def late_rows(self) -> int:
        """Rows that came too late to be played."""
        return self._buffer.late_rows

    @property
    def may_resume(self) -> bool:
        """Whether fresh chunks may go on by themselves where a starvation ended them."""
        return self._resume_until is not None

    @property
    def starved(self) -> bool:
        """Whether fresh chunks are missing, or have to come before it goes on."""
        return self._starving is not None or self.may_resume

    def check(self, chunk: Chunk, epoch: int, now: int) -> str | None:
        """Return why a chunk is refused, beginning with the field's name, or None."""
        return self._buffer.check(chunk, epoch, now)

    def add(self, chunk: Chunk, motion: Motion, now: int) -> None:
        """Take in a checked chunk; it blends in from the commands of ``motion``."""
        before, current = motion.at(chunk.obs_stamp), motion.command
        if chunk.kind == "ee":
            before, current = self._mapper.joint_to_ee(before), self._mapper.joint_to_ee(current)
        self._buffer.add(chunk, now, before, current)

    def wish(self, now: int, command: Array) -> Wish | None:
        """Return what the policy wants now [ns], from the command (N,) in force, or None."""
        sample = self._buffer.sample(now)
        if sample is None:
            if self._starving is None and self._buffer.newest is not None:
                self._starving = now
                self.starvations += 1
            return None
        self._starving = None
        if sample.chunk.kind == "joint":
            return Wish(position=sample.action, held=self._nothing, sample=sample)
        return self._reach(sample, command)

    def overdue(self, now: int, since: int) -> str:
        """Say that fresh chunks are missing for too long, or return ''.

        Args:
            since: when the first chunk was asked for [ns].
        """
        if self._starving is not None:
            late, grace = to_s(now - self._starving), self._settings.starvation_grace
        elif self._buffer.newest is None:
            late, grace = to_s(now - since), self._settings.first_chunk_timeout
        else:
            return ""
        return f"policy: no fresh chunk for {late:.2f} s" if late >= grace else ""

    def allow_resume(self, now: int) -> None:
        """Let fresh chunks go on by themselves, for a while from now [ns]."""
        self._resume_until = now + to_ns(self._settings.resume_window)

    def expire(self, now: int) -> None:
        """End the time in which fresh chunks go on by themselves, when it is over."""
        if self._resume_until is not None and now > self._resume_until:
            self.forbid_resume()

    def forbid_resume(self) -> None:
        """Let a person decide whether the policy goes on."""
        self._resume_until = None

    def end_starvation(self) -> None:
        """Take a new beginning: nothing is missing, and nothing goes on by itself."""
        self._starving = self._resume_until = None

    def clear(self) -> None:
        """Forget all chunks."""
        self._buffer.clear()

    def _reach(self, sample: Sample, command: Array) -> Wish:
        action, notes = into_workspace(self._mapper.robot, sample.action)
        solution = self._mapper.solve(action, command)
        return Wish(
            position=solution.position,
            held=self._nothing,
            notes=(*notes, *solution.notes),
            sample=sample,
        )


def into_workspace(robot: RobotModel, action: Array) -> tuple[Array, list[str]]:
    """Return the "ee" action (A,) with every tool point in its box, and what was moved there."""
    inside, notes = action.copy(), []
    for i, arm in enumerate(robot.arms):
        point = inside[EE_COLUMNS * i : EE_COLUMNS * i + 3]
        wished = point.copy()
        np.maximum(point, arm.limits.workspace_lower, out=point)
        np.minimum(point, arm.limits.workspace_upper, out=point)
        if (outside := float(np.abs(wished - point).max())) > 1e-6:
            notes.append(f"{arm.name}: pose {outside * 1e3:.0f} mm outside the workspace")
    return inside, notes
