# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint folder to a policy that may drive: loaded, checked, warmed up, and no worse
than the one before. Knows no ROS.
"""

from dataclasses import replace
from pathlib import Path

from hiors_core.robot import RobotModel
from hiors_policy.canned import check_continues, warm_up
from hiors_policy.checkpoint import Checkpoint, load_checkpoint
from hiors_policy.gate import Gate
from hiors_policy.manifest import Expectation, expect_spec
from hiors_policy.rooms import Rooms


class Readiness:
    """Makes one checkpoint after the other ready. Serves one thread at a time."""

    def __init__(
        self,
        robot: RobotModel,
        instruction: str,
        *,
        device: str,
        rtc: bool,
        noise: float,
        gate: str,
        ratio: float,
    ) -> None:
        """Take what a policy will be used with.

        Args:
            device: "cpu" or "cuda". rtc: it must be able to go on from a chunk.
            noise: scale of the noise that inference starts from (hiors_policy.noise).
            gate, ratio: episode store and limit of hiors_policy.gate; "" is no gate.
        """
        self._robot, self._instruction = robot, instruction
        self._device, self._rtc, self._noise = device, rtc, noise
        self._store, self._ratio = gate, ratio
        self._rooms = Rooms()
        self._gate: Gate | None = None
        self._errors: dict[str, float] = {}

    def first(self, folder: Path) -> Checkpoint:
        """Return the policy to start with."""
        loaded = self._load(folder, Expectation(robot=self._robot))
        self._rooms.prepare()
        if self._store:
            spec = loaded.policy.spec
            self._gate = Gate(Path(self._store), self._robot, spec, self._instruction, self._ratio)
            self._errors = {loaded.manifest.sha256: self._gate.error(loaded.policy)}
        return loaded

    def next(self, folder: Path, current: Checkpoint) -> Checkpoint:
        """Return a policy that can take the place of the current one, or raise HiorsError."""
        manifest = current.manifest
        wanted = replace(
            expect_spec(manifest.spec, self._robot, streams=True),
            architecture=str(manifest.architecture.get("name")),
        )
        loaded = self._load(folder, wanted)
        if self._gate is not None:
            best = self._errors[manifest.sha256]
            self._errors[loaded.manifest.sha256] = self._gate.check(loaded.policy, best)
        return loaded

    def _load(self, folder: Path, expect: Expectation) -> Checkpoint:
        loaded = load_checkpoint(folder, expect, self._device, self._rooms)
        loaded.policy.noise.scale = self._noise
        warm_up(loaded.policy, self._instruction)
        if self._rtc:
            check_continues(loaded.policy, self._instruction)
        return loaded
