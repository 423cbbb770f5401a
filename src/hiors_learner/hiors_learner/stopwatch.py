# SPDX-License-Identifier: Apache-2.0
"""Where the time of a training step goes. Knows no training."""

import torch

from hiors_core.clock import Clock

PHASES = ("data", "forward", "backward", "optimizer", "save")


class Stopwatch:
    """Adds up the time [ns] of each phase since it was read.

    A phase on an accelerator ends when its work is done, not when it has been asked for.
    """

    def __init__(self, clock: Clock, device: torch.device) -> None:
        self._clock, self._device = clock, device
        self._since = clock.now()
        self._spent: dict[str, int] = {}

    def start(self) -> None:
        """Begin with the first phase."""
        self._since = self._clock.now()

    def lap(self, phase: str) -> None:
        """End a phase and begin with the next one."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = self._clock.now()
        self._spent[phase] = self._spent.get(phase, 0) + now - self._since
        self._since = now

    def read(self) -> dict[str, int]:
        """Return the time of each phase so far [ns], and begin anew."""
        spent, self._spent = self._spent, {}
        return {phase: spent.get(phase, 0) for phase in PHASES}
