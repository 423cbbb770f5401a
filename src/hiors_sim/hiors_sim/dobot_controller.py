# SPDX-License-Identifier: Apache-2.0
"""A Dobot V3 controller without its sockets: text in, text out, a tick every 8 ms, a packet on
request.

All methods are meant for one thread. What arrived on the motion port is kept with its time.
"""

from collections import Counter, deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock
from hiors_core.robot import Arm
from hiors_sim.dobot_commands import COMMANDS
from hiors_sim.dobot_commands_v4 import COMMANDS_V4, MOTIONS_V4
from hiors_sim.dobot_feedback import PACKET, SIZE, TEST_VALUE
from hiors_sim.dobot_kinematics import DobotKinematics
from hiors_sim.dobot_motion import MotionQueue
from hiors_sim.dobot_state import ControllerSettings, ControllerState
from hiors_sim.dobot_text import NO_SUCH_COMMAND, OK, Port, Refusal, Request, parse, reply
from hiors_sim.plant import JointPlant, JointReading

Array = NDArray[np.float64]

STREAMED = ("servoj", "servop")


@dataclass(frozen=True, slots=True)
class Received:
    """One motion command: when [ns], what, its numbers, and the error id it got."""

    stamp: int
    name: str
    values: tuple[float, ...]
    error_id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back; None is silence. ``when_idle`` waits for the end of the queue (Sync)."""

    text: str | None
    when_idle: bool = False


class DobotController:
    """The emulated controller of one arm."""

    state: ControllerState
    queue: MotionQueue
    last_command_id: int = 0
    """Number of the motion that was queued last (V4)."""

    def __init__(
        self, plant: JointPlant, arm: Arm, clock: Clock, settings: ControllerSettings
    ) -> None:
        self.clock = clock
        self.plant = plant
        self.arm = arm
        self.kinematics = DobotKinematics(arm)
        self.state = ControllerState(clock, settings, self._stop)
        self.queue = MotionQueue(plant, self.state, clock)
        self.received: deque[Received] = deque(maxlen=200_000)
        self.commands: Counter[str] = Counter()
        self._packet = np.zeros(1, dtype=PACKET)

    def execute(self, text: str, port: Port) -> Answer:
        """Carry out one request and return the answer."""
        error_id, value, name = OK, "", ""
        request: Request | None = None
        try:
            request = parse(text)
            name = request.name
            self.commands[name] += 1
            known = COMMANDS_V4 if self._is_v4 else COMMANDS[port]
            command = known.get(name)
            if command is None:
                raise Refusal(NO_SUCH_COMMAND)
            value = command(self, request)
        except Refusal as refusal:
            error_id = refusal.error_id
        motion = name in MOTIONS_V4 if self._is_v4 else port is Port.MOTION
        if request is not None and motion:
            self._record(request, error_id)
        silent = not self._is_v4 and not self.state.settings.servoj_replies
        if motion and name in STREAMED and silent:
            return Answer(None)
        return Answer(reply(error_id, value, text.strip()), when_idle=name == "sync")

    @property
    def current_command_id(self) -> int:
        """Number of the motion that runs, or that ran last (V4)."""
        return self.last_command_id - self.queue.waiting

    def tick(self) -> JointReading:
        """Advance queued motion and supervise; call every 8 ms."""
        return self.queue.tick()

    def tool(self, index: int | None = None) -> tuple[float, ...]:
        """Return the tool frame (6,) [mm], [deg] in force, or of the index."""
        return self.state.tools.get(self.state.tool if index is None else index, (0.0,) * 6)

    def packet(self, reading: JointReading) -> bytes:
        """Return the real-time feedback for the joints as they were read."""
        p, state = self._packet[0], self.state
        pose = self.kinematics.pose(reading.position, self.tool())
        p["message_size"], p["test_value"] = SIZE, TEST_VALUE
        p["digital_outputs"] = state.digital_outputs
        p["robot_mode"] = state.mode
        p["time_stamp"] = self.clock.now() // 1_000_000
        p["speed_scaling"] = state.ratios["speedfactor"] / 100.0
        p["v_robot"], p["v_actual"] = 48.0 * state.powered, 48.0 * state.powered
        p["q_target"], p["qd_target"] = np.degrees([reading.target, reading.target_velocity])
        p["q_actual"], p["qd_actual"] = np.degrees([reading.position, reading.velocity])
        p["tool_vector_actual"] = self.kinematics.vector(reading.position, self.tool())
        p["tool_vector_target"] = self.kinematics.vector(reading.target, self.tool())
        p["actual_quaternion"] = p["target_quaternion"] = pose[[6, 3, 4, 5]]
        p["motor_temperatures"], p["joint_modes"] = 35.0, 8.0
        p["user"], p["tool"], p["tool_frame"] = state.user, state.tool, self.tool()
        p["run_queued_cmd"], p["pause_cmd_flag"] = not state.paused, state.paused
        p["brake_status"] = 0b111111 if state.enabled else 0
        p["enable_status"], p["drag_status"] = state.enabled, state.dragging
        p["running_status"], p["error_status"] = state.running, state.alarmed
        p["current_command_id"] = self.current_command_id if self._is_v4 else 0
        p["robot_type"], p["load"] = state.settings.robot_type, state.load
        return self._packet.tobytes()

    @property
    def _is_v4(self) -> bool:
        return self.state.settings.protocol == "v4"

    def _stop(self) -> None:
        self.queue.clear()

    def _record(self, request: Request, error_id: int) -> None:
        numbers = []
        for arg in request.args:
            try:
                numbers.append(float(arg))
            except ValueError:
                continue
        self.received.append(Received(self.clock.now(), request.name, tuple(numbers), error_id))
