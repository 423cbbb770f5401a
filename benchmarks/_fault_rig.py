# SPDX-License-Identifier: Apache-2.0
"""Arbiter and driver as processes, an emulated arm, and a person who moves it: what the benchmark
of the reactions to faults causes them in.
"""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger

from hiors_core.authority import Authority, Request
from hiors_core.clock import SteadyClock
from hiors_core.robot import load_robot
from hiors_interfaces.msg import ControlState, TeleopCommand
from hiors_interfaces.srv import SetAuthority
from hiors_ros import qos
from hiors_sim.dobot import DobotEmulator
from hiors_sim.plant import KinematicArm

ROBOT = Path(__file__).resolve().parents[1] / "config" / "robots" / "xtrainer.yaml"
NODES = {"driver": "hiors_xtrainer.driver_node", "arbiter": "hiors_control.arbiter_node"}
CLOCK = SteadyClock()
DEADLINE = 60.0
STILL = 1e-4
"""Change of a ServoJ target below which it counts as the same [deg]."""


def wait(condition: Callable[[], object], what: str) -> None:
    """Return when the condition holds; end the benchmark when it does not in time."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {DEADLINE:.0f} s in vain for: {what}")
        time.sleep(0.005)


class Person:
    """A device in a person's hand that moves up and down at 60 Hz, and the person's requests."""

    def __init__(self) -> None:
        rclpy.init()
        self._node = rclpy.create_node("fault_reaction")
        self._commands = self._node.create_publisher(
            TeleopCommand, "teleop/command", qos.profile("teleop/command")
        )
        self._node.create_subscription(
            ControlState, "control/state", self._on_state, qos.profile("control/state")
        )
        self._authority = self._node.create_client(SetAuthority, "control/set_authority")
        self._triggers = {
            name: self._node.create_client(Trigger, f"driver/{name}")
            for name in ("clear_error", "enable")
        }
        self.state: ControlState | None = None
        self.engaged, self.silent, self.clutch, self.last = False, False, 0, 0
        self._since = self._asked = time.monotonic()
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._threads = [threading.Thread(target=t) for t in (self._spin, self._move)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the node."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()
        rclpy.try_shutdown()

    def grip(self) -> None:
        """Close the clutch anew."""
        with self._lock:
            self.engaged, self.silent, self.clutch = True, False, self.clutch + 1
            self._since = time.monotonic()

    def let_go(self) -> int:
        """Open the deadman; returns when it was told [ns]."""
        with self._lock:
            self.engaged = False
            return self._send()

    def fall_silent(self) -> int:
        """Send nothing more; returns when the last message went out [ns]."""
        with self._lock:
            self.silent = True
            return self.last

    def ask(self, request: Request) -> None:
        """Request an authority and wait until it is granted."""
        self._call(self._authority, SetAuthority.Request(request=int(request)))

    def ask_driver(self, name: str) -> None:
        """Ask the driver to clear_error or enable."""
        self._call(self._triggers[name], Trigger.Request())

    def _call(self, client: Any, request: Any) -> None:
        # A server that was killed is known for a while yet, and takes requests with it.
        futures: list[Any] = []

        def answered() -> bool:
            if not futures or time.monotonic() > self._asked + 3.0:
                self._asked = time.monotonic()
                futures.append(client.call_async(request))
            return any(future.done() for future in futures)

        wait(client.service_is_ready, client.srv_name)
        wait(answered, f"an answer of {client.srv_name} to {request}")
        answer = next(future.result() for future in futures if future.done())
        if not answer.success:
            raise SystemExit(answer.message)

    @property
    def authority(self) -> Authority | None:
        """Who drives, as far as is known."""
        return None if self.state is None else Authority(self.state.authority)

    @property
    def reason(self) -> str:
        """Why, as control/state says."""
        return "" if self.state is None else self.state.reason

    def _on_state(self, message: ControlState) -> None:
        self.state = message

    def _spin(self) -> None:
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def _move(self) -> None:
        while not self._ended.wait(1 / 60):
            with self._lock:
                if not self.silent:
                    self._send()

    def _send(self) -> int:
        message = TeleopCommand(
            device="bench", arm="left", engaged=self.engaged, clutch=self.clutch
        )
        message.gripper = float("nan")
        message.pose.position.z = _triangle(time.monotonic() - self._since)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self.last = CLOCK.now()
        self._commands.publish(message)
        return self.last


def _triangle(seconds: float) -> float:
    """Up and down by 0.12 m at 0.12 m/s [m]."""
    return 0.12 * abs((seconds + 1.0) % 2.0 - 1.0)


class Rig:
    """The processes, the emulated arm and the person."""

    def __init__(self, folder: Path) -> None:
        arm = load_robot(ROBOT, ["left"]).arms[0]
        self.arm = DobotEmulator(KinematicArm(arm.home, CLOCK), arm, clock=CLOCK)
        self.arm.start()
        ports = self.arm.ports
        driver = {"lock_folder": folder, "left.host": self.arm.host, "left.timeout": 1.0}
        for name in ("dashboard", "motion", "feedback"):
            driver[f"left.{name}_port"] = getattr(ports, name)
        self._parameters: dict[str, dict[str, Any]] = {"driver": driver, "arbiter": {}}
        self.held = np.degrees(arm.home)
        self._logs = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.person = Person()
        for name in NODES:
            self.start(name)
        wait(lambda: self.ready("driver"), "the driver")
        wait(lambda: self.person.authority is Authority.HOLD, "HOLD")

    def close(self) -> None:
        """End everything."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(timeout=10)
        self.person.close()
        self.arm.stop()

    def start(self, name: str) -> None:
        """Start a node."""
        words = [sys.executable, "-m", NODES[name], "--ros-args"]
        own = {"robot_file": ROBOT, "arms": "[left]"} | self._parameters[name]
        for key, value in own.items():
            words += ["-p", f"{key}:={value}"]
        with (self._logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(words, stderr=log, stdout=log)

    def kill(self, name: str) -> int:
        """End a node by SIGKILL; returns when [ns]."""
        if name == "arbiter":
            self.person.state = None
        now = CLOCK.now()
        self._processes[name].kill()
        self._processes[name].wait()
        return now

    def ready(self, name: str) -> bool:
        """Whether the arm is driven (driver) or somebody decides who drives (arbiter)."""
        if name == "driver":
            return self.arm.call(lambda c: c.state.enabled and c.commands["servoj"] > 0)
        return self.person.authority is not None

    def changes(self, since: int) -> list[int]:
        """Arrival [ns] of every ServoJ since then that differs from the one before."""
        sent = self.arm.call(_newest)
        return [
            stamp
            for (_, before), (stamp, after) in itertools.pairwise(sent)
            if stamp > since and np.abs(np.subtract(before, after)).max() > STILL
        ]

    def still(self) -> bool:
        """Whether no ServoJ differed for a while, or none came."""
        return not self.changes(CLOCK.now() - 400_000_000)

    def strayed(self, since: int) -> float:
        """Return how far any ServoJ since then was from ``held`` [deg]."""
        sent = [joints for stamp, joints in self.arm.call(_newest) if stamp > since]
        return float(np.abs(np.subtract(sent, self.held)).max()) if sent else 0.0

    def moving(self) -> bool:
        """Whether the last few ServoJ differ."""
        return len(self.changes(CLOCK.now() - 300_000_000)) >= 6

    def drive(self) -> None:
        """Bring the person to move the arm, from any state."""
        if self.person.authority is Authority.STOPPED:
            self.person.ask(Request.RESUME)
        self.person.ask(Request.HOLD)
        self.person.ask(Request.TAKE_OVER)
        again = 0

        def moves() -> bool:
            # On a busy machine the stream may falter; then the person grips anew, as people do.
            nonlocal again
            if CLOCK.now() > again:
                again = CLOCK.now() + 3_000_000_000
                self.person.grip()
            return self.moving()

        wait(moves, "the arm to move")


def _newest(controller: Any) -> list[tuple[int, tuple[float, ...]]]:
    last = itertools.islice(reversed(controller.received), 200)
    return [(r.stamp, r.values[:6]) for r in last if r.name == "servoj"][::-1]
