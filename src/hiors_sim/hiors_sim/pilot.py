# SPDX-License-Identifier: Apache-2.0
"""How a policy drives an environment: when it is asked for a chunk and when the answer arrives, as
in the policy node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hiors_core.chunk import Chunk
from hiors_core.clock import to_ns
from hiors_core.errors import InvalidValue
from hiors_core.observation import Observation
from hiors_sim.environment import FastEnvironment

Array = NDArray[np.float64]


class ChunkSpec(Protocol):
    """What is asked of a policy's spec: action space, columns, time between rows [s], cameras."""

    @property
    def kind(self) -> str: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def units(self) -> Sequence[str]: ...
    @property
    def dt(self) -> float: ...
    @property
    def cameras(self) -> Sequence[str]: ...


class ChunkPolicy(Protocol):
    """What is asked of a policy: absolute actions (H, A) from an observation, one or many at a
    time.
    """

    @property
    def spec(self) -> ChunkSpec: ...
    def predict(
        self, observation: Observation, instruction: str = "", seed: int | None = None
    ) -> Any:
        """Return (H, A) absolute actions."""

    def predict_batch(
        self,
        observations: Sequence[Observation],
        instructions: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
    ) -> Any:
        """Return one (H, A) an observation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotSettings:
    """How the policy is run.

    Attributes:
        execute: rows of a chunk that are executed before the next inference is due.
        latency: from the observation to the chunk's arrival [s].
        version: checkpoint version for the record.
    """

    execute: int = 4
    latency: float = 0.0
    version: str = "v000000-start"

    def __post_init__(self) -> None:
        if self.execute < 1 or self.latency < 0.0:
            raise InvalidValue(
                f"execute must be at least 1 and latency at least 0 s, got {self.execute} and"
                f" {self.latency}"
            )


class Chance:
    """Seeds of the policy's noise in one episode, the same alone and in lockstep."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([7, seed])

    def draw(self) -> int:
        """Return the seed of the next inference."""
        return int(self._rng.integers(2**31))


class Pilot:
    """Asks the policy when an inference is due and hands its chunks to the arbiter in time."""

    def __init__(
        self, environment: FastEnvironment, spec: ChunkSpec, settings: PilotSettings
    ) -> None:
        self._environment, self._spec, self._settings = environment, spec, settings
        self._names, self._units = tuple(spec.names), tuple(spec.units)
        self._cameras = tuple(spec.cameras)
        self._epoch = -1
        self._next = 0
        self._sequence = 0
        self._coming: list[tuple[int, Chunk]] = []
        self.refused: list[str] = []
        """Why chunks were refused, apart from those that an intervention made void."""

    def due(self) -> Observation | None:
        """Return the observation to infer from when an inference is due now."""
        arbiter, now = self._environment.arbiter, self._environment.clock.now()
        if not arbiter.wants_chunks:
            return None
        # After a hand-over the first chunk is wanted at once, not at the next turn of the rhythm.
        if arbiter.epoch == self._epoch and now < self._next:
            return None
        self._epoch = arbiter.epoch
        self._next = now + to_ns(
            self._settings.execute * self._spec.dt - 0.5 * self._environment.period
        )
        return self._environment.observe(self._cameras)

    def answer(self, observation: Observation, values: Array) -> None:
        """Take the policy's answer (H, A) to an observation."""
        self._sequence += 1
        chunk = Chunk(
            obs_stamp=observation.stamp,
            sequence=self._sequence,
            epoch=self._epoch,
            policy_version=self._settings.version,
            kind=self._spec.kind,
            names=self._names,
            units=self._units,
            dt=self._spec.dt,
            values=np.asarray(values, dtype=np.float64),
        )
        self._coming.append((observation.stamp + to_ns(self._settings.latency), chunk))

    def deliver(self) -> None:
        """Give the arbiter the chunks that have arrived by now."""
        arbiter, now = self._environment.arbiter, self._environment.clock.now()
        arrived = [chunk for at, chunk in self._coming if at <= now]
        self._coming = [(at, chunk) for at, chunk in self._coming if at > now]
        for chunk in arrived:
            void = chunk.epoch != arbiter.epoch
            reason = arbiter.on_chunk(chunk, now)
            if reason is not None and not void:
                self.refused.append(reason)
