# SPDX-License-Identifier: Apache-2.0
"""From a published checkpoint to the policy that drives with it, for the benchmark `transport`.

Policy node, bridge and arbiter are the real processes; this one is the robot (it is where the
arbiter commands it) and publishes checkpoints as the learner does.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from _fault_rig import wait
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState

from hiors.transitions import Transitions
from hiors_core.authority import Authority, Request
from hiors_core.checkpoints import MANIFEST, MODEL
from hiors_core.durable import write_document
from hiors_core.robot import load_robot
from hiors_interfaces.msg import CheckpointInfo, ControlCommand, ControlState
from hiors_interfaces.srv import SetAuthority
from hiors_policy.checkpoint import read_manifest, save_checkpoint, write_latest
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.manifest import to_json
from hiors_policy.network import NetworkSettings
from hiors_ros import qos
from hiors_ros.conversions import doubles, to_ns, to_pose

CONFIG = Path(__file__).parents[1] / "config"
FILES = {
    "robot_file": CONFIG / "robots/xtrainer.yaml",
    "task_file": CONFIG / "tasks/insert_moisturizer.yaml",
    "arms": "[left]",
}
ROBOT = load_robot(FILES["robot_file"], ["left"])
MODULES = {
    "arbiter": "hiors_control.arbiter_node",
    "policy": "hiors_control.policy_node",
    "bridge": "hiors_bridge.bridge_node",
}
WIDTH = 2048
_RATE = 60.0


class Robot:
    """The rest of the graph: joints that follow the commands at once, and a listener."""

    def __init__(self) -> None:
        rclpy.init()
        self._node = rclpy.create_node("active")
        self._position = doubles(ROBOT.home)
        self.state: ControlState | None = None
        self.ticks: list[tuple[int, int]] = []
        self.active: dict[str, float] = {}
        out = {"joint_states": JointState}
        out |= {f"objects/{name}/pose": PoseStamped for name in ("box", "hole")}
        self._out = {t: self._node.create_publisher(k, t, qos.profile(t)) for t, k in out.items()}
        for kind, topic, keep in (
            (ControlCommand, "control/command", self._on_command),
            (ControlState, "control/state", self._on_state),
            (CheckpointInfo, "policy/checkpoint", self._on_checkpoint),
        ):
            self._node.create_subscription(kind, topic, keep, qos.profile(topic))
        self._authority = self._node.create_client(SetAuthority, "control/set_authority")
        self._node.create_timer(1.0 / _RATE, self._feed)
        self._executor, self._ended = SingleThreadedExecutor(), threading.Event()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def close(self) -> None:
        """End the node."""
        self._ended.set()
        self._thread.join()
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()
        rclpy.try_shutdown()

    def drive(self) -> None:
        """Let the policy drive."""
        wait(self._authority.service_is_ready, "the arbiter")

        def drives() -> bool:
            self._authority.call_async(SetAuthority.Request(request=int(Request.POLICY)))
            time.sleep(0.2)
            return self.state is not None and self.state.authority == Authority.POLICY

        wait(drives, "the policy to drive")

    def missed(self, since: int) -> int:
        """Return control ticks that did not happen since a stamp [ns], by their stamps."""
        stamps = [stamp for stamp, _ in self.ticks if stamp >= since]
        late = np.diff(stamps) * ROBOT.control_rate_hz / 1e9
        return int(np.maximum(np.round(late) - 1, 0).sum())

    def _spin(self) -> None:
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def _on_command(self, message: ControlCommand) -> None:
        by_name = dict(zip(message.names, message.position, strict=True))
        self._position = doubles(np.array([by_name[name] for name in ROBOT.names]))
        self.ticks.append((to_ns(message.header.stamp), message.tick))

    def _on_state(self, message: ControlState) -> None:
        self.state = message

    def _on_checkpoint(self, message: CheckpointInfo) -> None:
        self.active.setdefault(message.version, time.perf_counter())

    def _feed(self) -> None:
        pose = to_pose(np.array([-0.2, -0.37, 0.09, 0.0, 0.0, 0.0, 1.0]))
        for topic, publisher in self._out.items():
            if topic == "joint_states":
                message = JointState(name=list(ROBOT.names), position=self._position)
            else:
                message = PoseStamped(pose=pose)
            message.header.stamp = self._node.get_clock().now().to_msg()
            publisher.publish(message)


class Graph:
    """The three nodes with a run folder, whose learner is here or behind a socket."""

    def __init__(self, folder: Path, first: Path, learner: str) -> None:
        for name in ("store", "link", "checkpoints"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        own: dict[str, dict[str, Any]] = {
            "arbiter": {},
            "policy": {"checkpoint": first, "checkpoints": folder / "checkpoints"},
            "bridge": {
                "store": folder / "store",
                "link": folder / "link",
                "checkpoints": folder / "checkpoints",
                "learner": learner,
                "actor": "robot1",
            },
        }
        self._processes = [_start(name, folder, more) for name, more in own.items()]
        self.robot = Robot()
        self._lifecycle = Transitions(lambda _: None)
        self._lifecycle.activate("/policy")
        wait(lambda: self.robot.active or self._lifecycle.failed, "an active policy")
        if self._lifecycle.failed:
            raise SystemExit(f"{self._lifecycle.failed} {folder}/policy.log")
        self.robot.drive()

    def close(self) -> None:
        """End everything."""
        self._lifecycle.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(timeout=10)
        self.robot.close()


def _start(name: str, folder: Path, more: dict[str, Any]) -> "subprocess.Popen[bytes]":
    files = {k: v for k, v in FILES.items() if name != "arbiter" or k != "task_file"}
    words = [sys.executable, "-m", MODULES[name], "--ros-args"]
    for key, value in {**files, **more}.items():
        words += ["-p", f"{key}:={value}"]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(words, stdout=log, stderr=log)


def _first_checkpoint(folder: Path, megabytes: int) -> Path:
    """Save an untrained policy of about that size."""
    blocks = max(1, round((megabytes * 1e6 / 4 - WIDTH**2) / (2 * WIDTH**2)))
    # One Euler step: on a CPU ten of them through so many weights take longer than loading them.
    network = NetworkSettings(width=WIDTH, blocks=blocks, euler_steps=1)
    settings = FlowSettings(objects=("box", "hole"), network=network)
    save_checkpoint(folder / "v000000", FlowPolicy(ROBOT, settings), version="v000000", step=0)
    return folder / "v000000"


def _next_checkpoint(first: Path, checkpoints: Path, number: int) -> Callable[[], None]:
    """Lay the same weights ready as another version; return what publishes it."""
    manifest = replace(read_manifest(first), version=f"v{number:06d}", step=number)
    folder = checkpoints / manifest.version
    folder.mkdir(parents=True)
    os.link(first / MODEL, folder / MODEL)
    write_document(folder / MANIFEST, to_json(manifest))
    return lambda: write_latest(checkpoints, folder, manifest)


def _file_copy(source: Path, folder: Path) -> float:
    begun = time.perf_counter()
    shutil.copyfile(source, folder / "copy.bin")
    took = time.perf_counter() - begun
    (folder / "copy.bin").unlink()
    return took


def _socket_copy(source: Path, _: Path) -> float:
    """Copy through a TCP connection, memory to memory."""
    data = source.read_bytes()
    taken = memoryview(bytearray(len(data)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
        sender = threading.Thread(target=near.sendall, args=(data,))
        begun = time.perf_counter()
        sender.start()
        done = 0
        while done < len(data):
            done += far.recv_into(taken[done:])
        took = time.perf_counter() - begun
        sender.join()
        near.close()
        far.close()
    return took


def _swap(
    folder: Path, first: Path, repeat: int, copy: Callable[[Path, Path], float], *, remote: bool
) -> tuple[list[float], list[float], int]:
    """Return how long each checkpoint took to act [s], how long copying it took right before [s],
    and how many control ticks were missed.
    """
    run = folder / "plain" if remote else folder / "robot"
    port = _free_port()
    server = _serve(folder, port) if remote else None
    graph = Graph(folder / "robot", first, f"tcp://127.0.0.1:{port}" if remote else "local")
    times, copies, missed = [], [], 0
    try:
        time.sleep(1.0)
        for number in range(1, repeat + 1):
            publish = _next_checkpoint(first, run / "checkpoints", number)
            copies.append(copy(first / MODEL, folder))
            since, begun, version = time.time_ns(), time.perf_counter(), f"v{number:06d}"
            publish()
            wait(lambda v=version: v in graph.robot.active, f"{version} to act")
            times.append(graph.robot.active[version] - begun)
            time.sleep(0.5)
            missed += graph.robot.missed(since)
    finally:
        graph.close()
        if server:
            server.terminate()
            server.wait()
    return times, copies, missed


def _serve(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start the learner's end in a process of its own, as it is beside a learner."""
    folder.mkdir(exist_ok=True)
    words = ["--role", "plain", "--port", str(port), "--folder", str(folder)]
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("transport.py")), *words]
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def report(folder: Path, repeat: int, megabytes: int) -> None:
    """Print how long a checkpoint takes from its publication until the policy acts with it."""
    os.environ.setdefault("ROS_DOMAIN_ID", str(100 + os.getpid() % 100))
    first = _first_checkpoint(folder / "first", megabytes)
    size = (first / MODEL).stat().st_size / 1e6
    print(
        f"checkpoint of {size:.0f} MB, published to acting, while the policy drives; n = {repeat}"
    )
    print("| way | s, median | most | copying it once, s | times that | ticks missed |")
    print("|---|---|---|---|---|---|")
    ways = {"one machine, files": (False, _file_copy), "ZeroMQ": (True, _socket_copy)}
    for name, (remote, copy) in ways.items():
        place = folder / f"swap-{remote}"
        times, copies, missed = _swap(place, first, repeat, copy, remote=remote)
        took, once = statistics.median(times), statistics.median(copies)
        ratio = statistics.median(t / c for t, c in zip(times, copies, strict=True))
        row = [name, f"{took:.2f}", f"{max(times):.2f}", f"{once:.2f}", f"{ratio:.1f}"]
        print(f"| {' | '.join([*row, str(missed)])} |", flush=True)
