# SPDX-License-Identifier: Apache-2.0
"""Parameters of joy_node and keyboard_node."""

from dataclasses import dataclass
from typing import Annotated

from hiors_ros.parameters import Doc, Range
from hiors_teleop.jog import JogSettings

KEYS = (
    "take_over=t",
    "hand_back=p",
    "hold=h",
    "home=g",
    "stop=space",
    "resume=R",
    "success=enter",
    "failure=backspace",
    "discard=X",
    "undo=z",
    "gripper=f",
    "next_arm=tab",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JogParameters:
    """Parameters of both nodes."""

    robot_file: Annotated[str, Doc("Robot file (config/robots/*.yaml).")]
    arms: Annotated[tuple[str, ...], Doc("Arms in use; empty: all of the robot file.")] = ()
    operator_name: Annotated[str, Doc("Who drives and labels, for the record.")] = "operator"
    rate: Annotated[float, Doc("Rate of teleop/command [Hz]."), Range(20.0, 200.0)] = 50.0
    linear_speed: Annotated[
        float, Doc("Speed of the tool at full deflection [m/s]."), Range(0.005, 0.5)
    ] = 0.1
    angular_speed: Annotated[
        float, Doc("Turn of the tool at full deflection [rad/s]."), Range(0.02, 2.0)
    ] = 0.5
    leash: Annotated[
        float, Doc("How far the wish may run ahead of the tool [m]."), Range(0.01, 0.3)
    ] = 0.08
    angular_leash: Annotated[
        float, Doc("How far the wish may turn ahead of the tool [rad]."), Range(0.05, 1.5)
    ] = 0.5
    take_over: Annotated[
        bool, Doc("Closing the clutch takes the robot over when nobody or the policy drives.")
    ] = True

    def jog(self, silence: float) -> JogSettings:
        """Return how a tool is jogged, for a device that may be silent so long [s]."""
        return JogSettings(
            linear_speed=self.linear_speed,
            angular_speed=self.angular_speed,
            silence=silence,
            leash=self.leash,
            angular_leash=self.angular_leash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JoyParameters:
    """Parameters of joy_node alone."""

    topic: Annotated[str, Doc("Topic of sensor_msgs/Joy.")] = "joy"
    device: Annotated[str, Doc("Name of the device, for the record.")] = "gamepad"
    silence: Annotated[
        float,
        Doc("Silence of the topic after which the clutch opens [s]; set the driver's autorepeat."),
        Range(0.05, 0.5),
    ] = 0.25
    deadzone: Annotated[
        float, Doc("Deflection below which an axis counts as let go."), Range(0.0, 0.5)
    ] = 0.1
    axes: Annotated[
        tuple[str, ...],
        Doc("Axes, as target=+source: x y z rx ry rz of the arm's base; empty: drives nothing."),
    ] = ()
    buttons: Annotated[
        tuple[str, ...], Doc("Buttons, as action=index; driving needs deadman among them.")
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyboardParameters:
    """Parameters of keyboard_node alone."""

    pulse: Annotated[
        float,
        Doc("How long one key press moves the tool [s]; a held key repeats it."),
        Range(0.02, 0.3),
    ] = 0.12
    silence: Annotated[
        float, Doc("Time without a motion key after which the clutch opens [s]."), Range(0.1, 2.0)
    ] = 0.8
    keys: Annotated[tuple[str, ...], Doc("Keys, as action=key.")] = KEYS
