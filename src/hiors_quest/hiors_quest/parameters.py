# SPDX-License-Identifier: Apache-2.0
"""The parameters of quest_node, and what they mean for the session and the server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from hiors_core.errors import InvalidValue
from hiors_core.robot import RobotModel
from hiors_quest.values import HandSettings, SessionSettings
from hiors_ros.parameters import Doc, Range
from hiors_seat.web.server import ServerSettings

AUTO, NONE = "auto", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestParameters:
    """Parameters of quest_node."""

    robot_file: Annotated[
        str, Doc("Robot file (config/robots/*.yaml): arms and their base frames.")
    ]
    arms: Annotated[tuple[str, ...], Doc("Arms in use; empty: all of the robot file.")] = ()
    left_arm: Annotated[
        str,
        Doc("Arm of the left controller; auto: the arm of that name; none: drives nothing."),
    ] = AUTO
    right_arm: Annotated[
        str,
        Doc("Arm of the right controller; auto: the arm of that name, or the only arm."),
    ] = AUTO
    left_yaw: Annotated[
        float,
        Doc("Where the operator's forward points in the left controller's arm base [rad]."),
        Range(-6.2832, 6.2832),
    ] = 0.0
    right_yaw: Annotated[
        float,
        Doc("Where the operator's forward points in the right controller's arm base [rad]."),
        Range(-6.2832, 6.2832),
    ] = 0.0
    position_gain: Annotated[
        float, Doc("Tool travel per hand travel [m/m]."), Range(0.05, 5.0)
    ] = 1.0
    rotation_gain: Annotated[
        float,
        Doc("Tool rotation per hand rotation [rad/rad]; 0 keeps the orientation."),
        Range(0.0, 3.0),
    ] = 1.0
    engage: Annotated[
        float, Doc("Squeeze at which the clutch closes (0 .. 1)."), Range(0.05, 1.0)
    ] = 0.6
    release: Annotated[
        float, Doc("Squeeze at which the clutch opens (0 .. 1); below engage."), Range(0.0, 0.95)
    ] = 0.4
    silence: Annotated[
        float,
        Doc("Longest gap or delay of headset frames before the clutch opens [s]."),
        Range(0.05, 1.0),
    ] = 0.2
    jump_position: Annotated[
        float, Doc("Largest step of a controller between two frames [m]."), Range(0.005, 0.5)
    ] = 0.05
    jump_rotation: Annotated[
        float, Doc("Largest turn of a controller between two frames [rad]."), Range(0.05, 3.0)
    ] = 0.6109
    accept_emulated: Annotated[
        bool,
        Doc("Also drive while the headset only guesses where the controller is (emulators do)."),
    ] = False
    rate: Annotated[
        float,
        Doc("Lowest rate of teleop/command while an operator is connected [Hz]."),
        Range(30.0, 200.0),
    ] = 50.0
    camera: Annotated[
        str, Doc("Camera shown on the page: its name in camera/<name>/...; empty: none.")
    ] = ""
    camera_rate: Annotated[float, Doc("Images a second on the page."), Range(0.5, 10.0)] = 8.0
    camera_width: Annotated[int, Doc("Width of the images on the page [px]."), Range(64, 960)] = (
        480
    )
    host: Annotated[str, Doc("Address to listen on; 0.0.0.0 for the network (needs tls).")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Doc("Port of page and socket; 0: a free one."), Range(0, 65535)] = 8443
    tls: Annotated[
        bool, Doc("Serve https with a self-signed certificate; false only on loopback.")
    ] = True
    state_dir: Annotated[str, Doc("Folder of the certificate and its key.")] = "~/.ros/hiors_quest"
    max_malformed: Annotated[
        int, Doc("Malformed messages until a client is dropped."), Range(1, 1000)
    ] = 20
    max_clients: Annotated[int, Doc("Pages open at the same time."), Range(1, 64)] = 8

    def session(self, robot: RobotModel) -> SessionSettings:
        """Return the session's settings for this robot."""
        if self.release >= self.engage:
            raise InvalidValue(
                f"Parameter 'release' must be below 'engage' ({self.engage}), got {self.release}"
            )
        return SessionSettings(
            engage=self.engage,
            release=self.release,
            silence=self.silence,
            jump_position=self.jump_position,
            jump_rotation=self.jump_rotation,
            position_gain=self.position_gain,
            rotation_gain=self.rotation_gain,
            accept_emulated=self.accept_emulated,
            hands=self._hands(robot),
        )

    def server(self) -> ServerSettings:
        """Return the server's settings."""
        return ServerSettings(
            host=self.host,
            port=self.port,
            tls=self.tls,
            state_dir=Path(self.state_dir).expanduser(),
            max_malformed=self.max_malformed,
            max_clients=self.max_clients,
        )

    def _hands(self, robot: RobotModel) -> dict[str, HandSettings]:
        names = [arm.name for arm in robot.arms]
        only = names[0] if len(names) == 1 else NONE
        left = self.left_arm if self.left_arm != AUTO else _if_there("left", names)
        right = self.right_arm if self.right_arm != AUTO else _if_there("right", names)
        if self.right_arm == AUTO and left == right == NONE:
            right = only
        if left == right:
            raise InvalidValue(
                f"left_arm and right_arm are both '{left}': each controller needs an arm "
                f"of its own, and one of them must have one. Arms: {', '.join(names)}."
            )
        hands = {"left": (left, self.left_yaw), "right": (right, self.right_yaw)}
        return {
            hand: HandSettings(arm=robot.arm(arm).name, yaw=yaw)
            for hand, (arm, yaw) in hands.items()
            if arm != NONE
        }


def _if_there(name: str, names: list[str]) -> str:
    return name if name in names else NONE
