# SPDX-License-Identifier: Apache-2.0
"""The parameters of console_node."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from hiors_ros.parameters import Doc, Range
from hiors_seat.web.server import ServerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParameters:
    """Parameters of console_node."""

    store: Annotated[
        str, Doc("Folder of the episode store; empty: no thumbnails, no replay, no curves.")
    ] = ""
    run_dir: Annotated[
        str, Doc("Folder of the run, for the learner's metrics; empty: no loss curve.")
    ] = ""
    robot_file: Annotated[
        str, Doc("Robot file (config/robots/*.yaml): cameras and arms; needed to drive.")
    ] = ""
    arms: Annotated[tuple[str, ...], Doc("Arms in use; empty: all of the robot file.")] = ()
    cameras: Annotated[
        tuple[str, ...],
        Doc("Cameras shown, by their names in camera/<name>/...; empty: those of the robot file."),
    ] = ()
    drive: Annotated[
        bool, Doc("Whether the operator may drive by keyboard or gamepad from the page.")
    ] = False
    fleet: Annotated[
        bool, Doc("Whether every robot of the ROS domain is shown when there is more than one.")
    ] = True
    linear_speed: Annotated[
        float, Doc("Tool speed at a full key or stick [m/s]."), Range(0.01, 0.5)
    ] = 0.12
    angular_speed: Annotated[
        float, Doc("Tool rotation at a full key or stick [rad/s]."), Range(0.05, 3.0)
    ] = 0.8
    silence: Annotated[
        float, Doc("Longest gap of the page's drive messages before release [s]."), Range(0.1, 1.0)
    ] = 0.3
    image_rate: Annotated[float, Doc("Images a second of each camera."), Range(0.5, 30.0)] = 10.0
    image_width: Annotated[int, Doc("Width of the images [px]."), Range(64, 1280)] = 560
    host: Annotated[str, Doc("Address to listen on; 0.0.0.0 for the network (needs tls).")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Doc("Port of page and socket; 0: a free one."), Range(0, 65535)] = 8480
    tls: Annotated[
        bool, Doc("Serve https with a self-signed certificate; must be true off loopback.")
    ] = False
    state_dir: Annotated[str, Doc("Folder of the certificate and its key.")] = (
        "~/.ros/hiors_console"
    )
    max_malformed: Annotated[
        int, Doc("Malformed messages until a client is dropped."), Range(1, 1000)
    ] = 20
    max_clients: Annotated[int, Doc("Pages open at the same time."), Range(1, 64)] = 16

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
