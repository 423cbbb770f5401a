# SPDX-License-Identifier: Apache-2.0
"""quest_node: publishes what the session says, shows what the graph says.

Frames arrive in the server's thread and are published from there at once; everything else of ROS
happens in the node's thread. One lock guards the session between them.
"""

import sys
import threading
from collections import deque
from dataclasses import asdict
from typing import Any

from sensor_msgs.msg import Image, JointState

from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock, to_ns
from hiors_core.errors import HiorsError
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlState, EpisodeStatus, TeleopCommand
from hiors_quest.parameters import QuestParameters
from hiors_quest.server import QuestServer
from hiors_quest.session import Session
from hiors_quest.values import ArmCommand, Frame
from hiors_ros.conversions import to_pose, to_stamp
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode, run_node
from hiors_ros.person import Requests
from hiors_seat.actions import LABELS, REQUESTS, Action
from hiors_seat.camera import CameraView
from hiors_seat.view import View

_PAGE_PERIOD = 0.1


class QuestNode(HiorsNode):
    """One headset's operator as a teleoperation device of the graph."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("quest_node", "quest", **kwargs)
        p = self.declare_all(QuestParameters)
        self.finish_parameters()
        self._robot = load_robot(p.robot_file, p.arms or None)
        self._steady = SteadyClock()
        self._lock = threading.Lock()
        self._session = Session(p.session(self._robot), self._steady)
        self._view = View(self._steady)
        self._actions: deque[tuple[Action, str]] = deque(maxlen=32)
        self._period = to_ns(1.0 / p.rate)
        self._published = 0
        self._stamps: dict[str, int] = {}
        self.server = QuestServer(p.server(), self, self._steady)
        self._requests = Requests(self, self._notice, self._steady, "quest")
        self._camera = CameraView(
            p.camera_rate, p.camera_width, self._steady, lambda: self.server.viewers > 0
        )
        self._connect(p)
        self.server.start()
        self._greet(p)

    def _connect(self, p: QuestParameters) -> None:
        self._commands = self.advertise(TeleopCommand, "teleop/command")
        self.subscribe(ControlState, "control/state", self._on_control)
        self.subscribe(EpisodeStatus, "episode/status", self._view.on_episode)
        self.subscribe(JointState, "joint_states", self._on_joints)
        if p.camera:
            topic = f"camera/{p.camera}/color/image_raw"
            self.subscribe(Image, topic, self._on_image, raw=True)
        self.create_timer(1.0 / p.rate, self._tick)
        self.create_timer(_PAGE_PERIOD, self._show)
        self.create_timer(1.0, self._diagnose)

    def _greet(self, p: QuestParameters) -> None:
        self.get_logger().info(f"Open in the headset's browser: {self.server.url}")
        if p.tls:
            self.get_logger().info(f"Certificate SHA-256: {self.server.fingerprint}")

    def close(self) -> None:
        """End the server; the arms' last command is a release."""
        self.server.stop()

    def on_operator(self, name: str | None) -> None:
        """Begin or end an operator's session (server's thread)."""
        with self._lock:
            if name is not None:
                self._session.open(name)
                return
            self._session.release("disconnected")
            self._publish()
            self._session.close()

    def on_frame(self, frame: Frame) -> None:
        """Take a frame and publish what follows from it (server's thread)."""
        with self._lock:
            pressed = self._session.on_frame(frame)
            self._actions.extend((a, self._session.operator or "") for a in pressed)
            self._publish()

    def on_end(self) -> None:
        """The operator left AR (server's thread)."""
        with self._lock:
            self._session.end()
            self._publish()

    def on_press(self, action: Action, name: str) -> None:
        """Keep a page button for the node's thread (server's thread)."""
        self._actions.append((action, name))

    def _publish(self) -> None:
        """Publish every arm's command; the caller holds the lock."""
        commands = self._session.commands()
        self._published = self._steady.now()
        now = self.now_ns()
        for command in commands:
            age = self._published - command.captured
            # Stamps never run backwards, whatever the estimate of the frames' delay does.
            stamp = min(max(now - age, self._stamps.get(command.arm, 0)), now)
            self._stamps[command.arm] = stamp
            self._commands.publish(self._message(command, stamp))

    def _message(self, command: ArmCommand, stamp: int) -> TeleopCommand:
        message = TeleopCommand(
            device="quest",
            operator_name=self._session.operator or "",
            arm=command.arm,
            mode=TeleopCommand.RELATIVE_EE,
            engaged=command.engaged,
            clutch=command.clutch,
            pose=to_pose(command.pose),
            gripper=command.gripper,
        )
        message.header.stamp = to_stamp(stamp)
        message.header.frame_id = self._robot.arm(command.arm).base_frame
        return message

    def _tick(self) -> None:
        with self._lock:
            # Half a period: the timer's own jitter must not skip every second turn.
            if self._steady.now() - self._published >= self._period // 2:
                self._publish()
        while self._actions:
            self._act(*self._actions.popleft())
        self._requests.poll()

    def _act(self, action: Action, name: str) -> None:
        if action is Action.TOGGLE:
            action = self._view.toggle
        if action in LABELS:
            outcome, what = LABELS[action]
            self._requests.label(outcome, name, what)
        elif action in REQUESTS:
            if action in (Action.HAND_BACK, Action.STOP):
                self._release("handed back" if action is Action.HAND_BACK else "stopped")
            request, what = REQUESTS[action]
            self._requests.authority(request, name, what)
        elif action is Action.REZERO:
            self._notice("info", "Forward is now where you look.")

    def _release(self, reason: str) -> None:
        with self._lock:
            self._session.release(reason)
            self._publish()

    def _on_control(self, message: ControlState) -> None:
        before = self._view.authority
        if not self._view.on_control(message):
            return
        if message.authority == Authority.HUMAN:
            self.server.pulse(0.8, 150)
        elif before is Authority.HUMAN:
            self.server.pulse(0.5, 60, times=2)
        if message.authority in (Authority.POLICY, Authority.STOPPED):
            self._release(f"authority is {Authority(message.authority).name}")
        self._show()

    def _on_joints(self, message: JointState) -> None:
        values = dict(zip(message.name, message.position, strict=False))
        with self._lock:
            for arm in self._robot.arms:
                if arm.gripper in values:
                    self._session.set_gripper(arm.name, values[arm.gripper])

    def _on_image(self, raw: bytes) -> None:
        try:
            jpeg = self._camera.take(raw)
        except HiorsError as error:
            self.diagnostics.set("camera", Level.WARN, str(error))
            return
        if jpeg is not None:
            self.server.show_image(jpeg)

    def _show(self) -> None:
        with self._lock:
            hands = self._session.statuses()
        self.server.show({**self._view.to_dict(), "hands": [asdict(hand) for hand in hands]})

    def _notice(self, level: str, text: str) -> None:
        self.server.notice(level, text)

    def _diagnose(self) -> None:
        counters = self.server.counters
        with self._lock:
            name, dropped = self._session.operator, self._session.dropped
            hands = {h.hand: h.reason or "engaged" for h in self._session.statuses()}
        self.diagnostics.set(
            "headset",
            Level.OK,
            f"operator {name}" if name else "no operator",
            pages=self.server.viewers,
            frames_out_of_order=dropped,
            refused_tokens=counters.refused_tokens,
            malformed_messages=counters.malformed,
            dropped_clients=counters.dropped_clients,
            **hands,
        )


def main() -> None:
    """Run the node; exit code 0 after SIGINT or SIGTERM, 2 when it refuses to start."""
    sys.exit(run_node(QuestNode))


if __name__ == "__main__":
    main()
