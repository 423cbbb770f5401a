# SPDX-License-Identifier: Apache-2.0
"""What a Dobot V3 controller remembers: power, enable, alarms, settings. Knows no text and no
socket.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from hiors_core.clock import Clock, to_ns

ESTOP_PRESSED = 116
ESTOP_TRIGGERED = 165
JOINT_JUMP = 37
OVERSPEED = 48
"""Of joint 1; joints 2 .. 6 follow."""
POSITION_LAG = 54
JOINT_LIMIT = 64
"""Of joint 1 upwards, 65 downwards; two ids a joint follow."""


class Mode(IntEnum):
    """What RobotMode() answers."""

    INIT = 1
    BRAKE_OPEN = 2
    POWER_OFF = 3
    DISABLED = 4
    ENABLE = 5
    BACKDRIVE = 6
    RUNNING = 7
    RECORDING = 8
    ERROR = 9
    PAUSE = 10
    JOG = 11


@dataclass(slots=True)
class ControllerSettings:
    """How the emulated controller is set up.

    Attributes:
        joint_limit: (6,) symmetric range [deg].
        max_joint_speed: speed at which a commanded step trips the overspeed alarm [deg/s].
        max_lag: difference between set-point and joint that trips the position-lag alarm [deg].
        servoj_replies: answer ServoJ and ServoP as some firmware does; the guide says there is
            no answer.
        powered: whether the arm is powered at the start. power_on_time: duration of PowerOn() [s].
        protocol: "v3", or "v4" where everything goes through the dashboard port and ServoJ is
            answered.
        robot_type: 101 Nova 2, 103 Nova 5.
    """

    joint_limit: tuple[float, ...] = (360.0, 180.0, 160.0, 360.0, 360.0, 360.0)
    max_joint_speed: float = 225.0
    max_lag: float = 45.0
    servoj_replies: bool = False
    powered: bool = True
    power_on_time: float = 0.0
    protocol: str = "v3"
    robot_type: int = 101


@dataclass(slots=True)
class ControllerState:
    """Power, alarms and settings, with the transitions between them."""

    clock: Clock
    settings: ControllerSettings
    on_stop: Callable[[], None]
    controller_alarms: list[int] = field(default_factory=list)
    servo_alarms: list[list[int]] = field(default_factory=lambda: [[] for _ in range(6)])
    estop_pressed: bool = False
    enabled: bool = False
    dragging: bool = False
    paused: bool = False
    running: bool = False
    ratios: dict[str, int] = field(default_factory=lambda: {"speedfactor": 50})
    tools: dict[int, tuple[float, ...]] = field(default_factory=lambda: {0: (0.0,) * 6})
    tool: int = 0
    user: int = 0
    load: float = 0.0
    digital_outputs: int = 0
    _power_at: int | None = None

    def __post_init__(self) -> None:
        self._power_at = self.clock.now() if self.settings.powered else None

    @property
    def powered(self) -> bool:
        """Whether the drives have power."""
        return self._power_at is not None and self.clock.now() >= self._power_at

    @property
    def alarmed(self) -> bool:
        """Whether any alarm stands."""
        return bool(self.controller_alarms) or any(self.servo_alarms)

    @property
    def ready(self) -> bool:
        """Whether a motion command would be carried out."""
        return self.enabled and not self.alarmed and not self.dragging

    @property
    def mode(self) -> Mode:
        """The mode; an error has priority over everything."""
        if self.alarmed:
            return Mode.ERROR
        if not self.powered:
            return Mode.POWER_OFF if self._power_at is None else Mode.INIT
        if not self.enabled:
            return Mode.DISABLED
        if self.dragging:
            return Mode.BACKDRIVE
        if self.paused:
            return Mode.PAUSE
        return Mode.RUNNING if self.running else Mode.ENABLE

    def power_on(self) -> None:
        """Begin to power the drives; also ends a software e-stop."""
        if self._power_at is None:
            self._power_at = self.clock.now() + to_ns(self.settings.power_on_time)
        if not self.estop_pressed:
            self.controller_alarms = [a for a in self.controller_alarms if a != ESTOP_TRIGGERED]

    def enable(self) -> bool:
        """Enable the arm and stop it; False when alarms or missing power forbid it."""
        if self.alarmed or not self.powered:
            return False
        self.on_stop()
        self.enabled, self.dragging, self.paused = True, False, False
        self.ratios["speedfactor"] = 50
        return True

    def disable(self) -> None:
        """Let the brakes fall in."""
        self.on_stop()
        self.enabled = self.dragging = False

    def raise_alarm(self, alarm: int, servo: int | None = None) -> None:
        """Stop and disable the arm with an alarm of the controller, or of servo 0 .. 5."""
        alarms = self.controller_alarms if servo is None else self.servo_alarms[servo]
        if alarm not in alarms:
            alarms.append(alarm)
        self.disable()

    def clear(self) -> None:
        """Forget the alarms whose cause is gone."""
        self.controller_alarms = [ESTOP_PRESSED] if self.estop_pressed else []
        self.servo_alarms = [[] for _ in range(6)]

    def emergency_stop(self) -> None:
        """Stop by command: alarm and power off."""
        self.raise_alarm(ESTOP_TRIGGERED)
        self._power_at = None

    def press_estop(self) -> None:
        """Press the button."""
        self.estop_pressed = True
        self.raise_alarm(ESTOP_PRESSED)
        self._power_at = None

    def release_estop(self) -> None:
        """Turn the button back: the alarm stays until it is cleared."""
        self.estop_pressed = False
