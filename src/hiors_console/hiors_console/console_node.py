# SPDX-License-Identifier: Apache-2.0
"""console_node: the operator's seat in a browser.

The server has a thread of its own; what pages ask for is queued and done in the node's thread.
"""

import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from hiors_console.drive import Drive, DriveSettings
from hiors_console.parameters import ConsoleParameters
from hiors_console.protocol import DriveWish, LabelWish
from hiors_console.records import Records
from hiors_console.server import ConsoleServer
from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.label import Outcome
from hiors_core.robot import RobotModel, load_robot
from hiors_interfaces.msg import TeleopCommand
from hiors_ros.conversions import to_pose
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode, run_node
from hiors_seat.actions import Action
from hiors_seat.camera import CameraView
from hiors_seat.fleet import Fleet
from hiors_seat.seat import Seat

_PAGE_PERIOD = 0.2
_DRIVE_PERIOD = 1 / 30


class ConsoleNode(HiorsNode):
    """Serves the console and publishes what its operator drives."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("console_node", "console", **kwargs)
        p = self.declare_all(ConsoleParameters)
        self.finish_parameters()
        self._settings = p
        self._robot = load_robot(p.robot_file, p.arms or None) if p.robot_file else None
        self._steady = SteadyClock()
        self._lock = threading.Lock()
        self._operator: str | None = None
        self._drive = self._make_drive()
        self._revision = -1
        records = Records(
            Path(p.store) if p.store else None, Path(p.run_dir) if p.run_dir else None
        )
        self.server = ConsoleServer(p.server(), self, records, self._steady)
        self._seat = Seat(self, "console", self.server.notice, self._steady)
        self._fleet = Fleet(self, self._steady) if p.fleet else None
        self._cameras = p.cameras or (self._robot.cameras if self._robot else ())
        self._views: list[Subscription] = []
        self._commands = self.advertise(TeleopCommand, "teleop/command") if p.drive else None
        self.create_timer(_PAGE_PERIOD, self._show)
        self.create_timer(_DRIVE_PERIOD, self._tick)
        self.create_timer(1.0, self._diagnose)
        self.server.start()
        self.get_logger().info(f"Web console: {self.server.url}")
        if p.tls:
            self.get_logger().info(f"Certificate SHA-256: {self.server.fingerprint}")

    def close(self) -> None:
        """End the server; the last command is a release."""
        self.server.stop()

    def on_operator(self, name: str | None) -> None:
        """A person took or left the controls (server's thread)."""
        with self._lock:
            self._drive.release("the controls changed hands")
            if name is None:
                self._publish()
            self._operator = name

    def on_press(self, action: Action, name: str) -> None:
        """Ask for what a button means (server's thread)."""
        if action in (Action.HAND_BACK, Action.STOP, Action.TOGGLE):
            with self._lock:
                self._drive.release("handed over")
        self._seat.press(action, name)

    def on_label(self, wish: LabelWish) -> None:
        """Pass a judgement on (server's thread)."""
        if wish.action is None:
            self._seat.label_stages(
                int(Outcome.RETURN), wish.rewards, wish.labeler, wish.episode_id
            )
        else:
            self._seat.press(wish.action, wish.labeler, wish.episode_id)

    def on_drive(self, wish: DriveWish) -> None:
        """Take keys or sticks (server's thread)."""
        if self._commands is None:
            self.server.notice("warn", "Driving from the page is off: start with drive:=true.")
            return
        try:
            with self._lock:
                self._drive.take(wish)
        except HiorsError as error:
            self.server.notice("error", str(error))

    def _make_drive(self) -> Drive:
        p = self._settings
        if p.drive and self._robot is None:
            raise InvalidValue("drive:=true needs robot_file: the arms and their base frames.")
        arms = tuple(arm.name for arm in self._robot.arms) if self._robot else ()
        settings = DriveSettings(
            arms=arms, linear=p.linear_speed, angular=p.angular_speed, silence=p.silence
        )
        return Drive(settings, self._steady)

    def _tick(self) -> None:
        with self._lock:
            theirs = self._seat.view.authority in (Authority.POLICY, Authority.STOPPED)
            if theirs and self._drive.engaged:
                self._drive.release("the robot is not yours: take over first")
            if self._operator is not None:
                self._publish()

    def _publish(self) -> None:
        """Publish what the operator drives; the caller holds the lock."""
        motion = self._drive.tick()
        if self._commands is None or self._robot is None or self._operator is None:
            return
        message = TeleopCommand(
            device="console",
            operator_name=self._operator,
            arm=motion.arm,
            mode=TeleopCommand.RELATIVE_EE,
            engaged=motion.engaged,
            clutch=motion.clutch,
            pose=to_pose(motion.pose),
            gripper=motion.gripper,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self._robot.arm(motion.arm).base_frame
        self._commands.publish(message)

    def _show(self) -> None:
        with self._lock:
            drive = {"engaged": self._drive.engaged, "reason": self._drive.reason}
        fleet = self._fleet.rows() if self._fleet else []
        own = self.get_namespace().rstrip("/")
        self.server.show({**self._seat.state(), "drive": drive, "fleet": fleet, "own": own})
        if self._seat.view.revision != self._revision:
            self._revision = self._seat.view.revision
            self.server.greet(
                _configuration(self._settings, self._robot, self._cameras),
                {"t": "episodes", "episodes": self._seat.view.episodes()},
            )
        self._look()

    def _look(self) -> None:
        """Subscribe to the cameras while somebody watches, and only then."""
        if self.server.watched and not self._views:
            for number, camera in enumerate(self._cameras):
                p = self._settings
                view = CameraView(p.image_rate, p.image_width, self._steady, lambda: True)
                take = partial(self._on_image, number, camera, view)
                topic = f"camera/{camera}/color/image_raw"
                self._views.append(self.subscribe(Image, topic, take, raw=True))
        elif not self.server.watched and self._views:
            for view in self._views:
                self.destroy_subscription(view)
            self._views = []

    def _on_image(self, number: int, camera: str, view: CameraView, raw: bytes) -> None:
        try:
            jpeg = view.take(raw)
        except HiorsError as error:
            self.diagnostics.set(f"camera {camera}", Level.WARN, str(error))
            return
        if jpeg is not None:
            self.server.show_image(number, camera, jpeg)

    def _diagnose(self) -> None:
        counters = self.server.counters
        with self._lock:
            name = self._operator
        self.diagnostics.set(
            "pages",
            Level.OK,
            f"operator {name}" if name else "no operator",
            pages=self.server.pages,
            refused_tokens=counters.refused_tokens,
            malformed_messages=counters.malformed,
            dropped_clients=counters.dropped_clients,
        )


def _configuration(
    p: ConsoleParameters, robot: RobotModel | None, cameras: tuple[str, ...]
) -> dict[str, Any]:
    arms = [arm.name for arm in robot.arms] if robot else []
    return {
        "t": "configuration",
        "cameras": list(cameras),
        "drive": p.drive,
        "arms": arms,
        "store": bool(p.store),
        "image_rate": p.image_rate,
    }


def main() -> None:
    """Run the node; exit code 0 after SIGINT or SIGTERM, 2 when it refuses to start."""
    sys.exit(run_node(ConsoleNode))


if __name__ == "__main__":
    main()
