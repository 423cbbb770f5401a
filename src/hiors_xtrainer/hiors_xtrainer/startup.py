# SPDX-License-Identifier: Apache-2.0
"""The published start-up sequence of one arm and the modes it passes: it ends well or raises."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hiors_core.clock import Clock, to_ns
from hiors_core.errors import StateError
from hiors_xtrainer import alarms
from hiors_xtrainer.dobot import DobotClient
from hiors_xtrainer.replies import NO_SUCH_COMMAND, CommandRefused, LinkLost
from hiors_xtrainer.settings import ArmSettings

MODES = {
    1: "starting",
    2: "brakes released by hand",
    3: "powered off",
    4: "disabled",
    5: "enabled",
    6: "in drag mode",
    7: "running",
    8: "recording",
    9: "in alarm",
    10: "paused",
    11: "jogging",
}
DRIVING = (5, 7)
"""Modes in which ServoJ is carried out."""
_STARTING, _POWER_OFF, _ALARM = 1, 3, 9
_POWER_TIME = 20.0
_POLL = 0.2


def describe(number: int, other: Mapping[int, str] = MappingProxyType({})) -> str:
    """Say what the mode is; ``other`` are the meanings of the arm's protocol."""
    return other.get(number) or MODES.get(number, f"in mode {number}")


def mode(client: DobotClient) -> int:
    """Ask the arm for its mode."""
    numbers = client.request("RobotMode()").numbers
    if len(numbers) != 1:
        raise LinkLost(f"RobotMode() was answered with {numbers}")
    return int(numbers[0])


def _take_control(client: DobotClient) -> None:
    try:
        client.request("RequestControl()")
    except CommandRefused as refusal:
        # Firmware before 4.6 has no owner of control.
        if refusal.error_id != NO_SUCH_COMMAND:
            raise


class StartUp:
    """Brings a connected arm to where it takes ServoJ."""

    def __init__(
        self, name: str, settings: ArmSettings, clock: Clock, given_up: Callable[[], bool]
    ) -> None:
        self._name, self._settings, self._clock = name, settings, clock
        self._given_up = given_up

    def set_up(self, client: DobotClient, power_on: bool) -> None:
        """Enable and set the arm; with ``power_on`` also power it. Alarms are not cleared."""
        now = mode(client)
        if now == _POWER_OFF and power_on:
            client.request("PowerOn()")
            now = self._await_power(client)
        if now in (_POWER_OFF, _ALARM):
            raise StateError(f"{self._name}: {self._alarm_text(client, now)}")
        s = self._settings
        if client.dialect.takes_control:
            _take_control(client)
        for command in (
            "EnableRobot()",
            f"SpeedFactor({s.speed_factor})",
            f"AccJ({s.acceleration})",
            f"{client.dialect.joint_speed}({s.speed})",
            f"SetTool(1,{{0.000,0.000,{s.tool_length:.3f},0.000,0.000,0.000}})",
            "Tool(1)",
        ):
            client.request(command)

    def await_enabled(self, client: DobotClient) -> None:
        """Wait until the feedback says that the arm is enabled."""
        end = self._clock.now() + to_ns(self._settings.address.timeout)
        while self._clock.now() < end and client.failure is None:
            latest = client.wait_feedback(0.1)
            if latest and latest.mode in DRIVING and not latest.alarmed:
                return
        latest = client.latest
        state = describe(latest.mode, client.dialect.modes) if latest else "silent"
        raise LinkLost(client.failure or f"{self._name}: after start-up the arm is {state}")

    def _await_power(self, client: DobotClient) -> int:
        end = self._clock.now() + to_ns(_POWER_TIME)
        while (now := mode(client)) in (_STARTING, _POWER_OFF):
            if self._clock.now() > end or self._given_up():
                raise StateError(f"{self._name}: the arm did not power on in {_POWER_TIME:.0f} s")
            self._clock.sleep_until(self._clock.now() + to_ns(_POLL))
        return now

    def _alarm_text(self, client: DobotClient, now: int) -> str:
        found = alarms.texts(client.request("GetErrorID()").value)
        return (
            "; ".join(found)
            or f"the arm is {describe(now, client.dialect.modes)}: call driver/enable"
        )
