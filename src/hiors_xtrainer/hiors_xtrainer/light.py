# SPDX-License-Identifier: Apache-2.0
"""The stack light on an arm's digital outputs: which lamps burn, and only changes are sent."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from hiors_core.driver_arm import ArmState
from hiors_core.errors import InvalidValue
from hiors_core.set_points import DriverStatus

LAMPS = ("red", "yellow", "green")
Send = Callable[[int, bool], "Future[str]"]
"""Sets a digital output, by its number from 1."""


@dataclass(frozen=True, slots=True)
class LightSettings:
    """At which arm the light hangs, and the digital output of each of LAMPS."""

    arm: str
    outputs: tuple[int, int, int]

    def __post_init__(self) -> None:
        if len(set(self.outputs)) != len(self.outputs):
            raise InvalidValue(f"Each lamp needs an output of its own, got {self.outputs}")


def lamps(status: DriverStatus, recording: bool) -> dict[str, bool]:
    """Return which lamps burn: red for a fault or stop, yellow while set-points go out, green
    while an episode is recorded.
    """
    bad = {ArmState.FAULT, ArmState.STOPPED, ArmState.DISCONNECTED}
    return {
        "red": any(arm.state in bad for arm in status.arms.values()),
        "yellow": status.moving,
        "green": recording,
    }


class StackLight:
    """Sends the lamps that changed; what was refused or lost is sent again."""

    def __init__(self, settings: LightSettings, send: Send) -> None:
        self._settings, self._send = settings, send
        self._shown: dict[str, bool] = {}
        self._sending: dict[str, tuple[bool, Future[str]]] = {}
        self.problem = ""

    def show(self, wanted: Mapping[str, bool]) -> None:
        """Bring the lamps to what is wanted; returns at once. Call it every now and then."""
        self._settle()
        for lamp, output in zip(LAMPS, self._settings.outputs, strict=True):
            if lamp not in self._sending and self._shown.get(lamp) != wanted[lamp]:
                self._sending[lamp] = (wanted[lamp], self._send(output, wanted[lamp]))

    def forget(self) -> None:
        """Take the lamps as unknown: the controller was started anew."""
        self._shown.clear()

    def _settle(self) -> None:
        for lamp, (on, future) in list(self._sending.items()):
            if not future.done():
                continue
            del self._sending[lamp]
            if error := future.exception():
                self.problem = f"{lamp} lamp: {error}"
            else:
                self._shown[lamp], self.problem = on, ""
