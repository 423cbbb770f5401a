# SPDX-License-Identifier: Apache-2.0
"""`hiors episode` against a recorder that answers as told."""

import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.action import ActionServer  # noqa: E402
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor  # noqa: E402

from hiors_interfaces.action import RunEpisode  # noqa: E402


@pytest.fixture
def seeds():
    """Serve episode/run, refusing the seed 12; gives the seeds that were asked for."""
    asked: list[int] = []

    def execute(handle):
        asked.append(handle.request.seed)
        handle.succeed()
        if handle.request.seed == 12:
            return RunEpisode.Result(message="joint_states are not fresh")
        name = f"e{handle.request.seed}"
        return RunEpisode.Result(episode_id=name, outcome=1, duration=4.0, message="labelled")

    rclpy.init(args=[])
    node = rclpy.create_node("recorder_stand_in")
    server = ActionServer(node, RunEpisode, "episode/run", execute)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin)
    thread.start()
    yield asked
    rclpy.try_shutdown()
    thread.join(10)
    server.destroy()
    executor.shutdown()
    node.destroy_node()


def episode(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "hiors.cli", "episode", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=90, check=False, env=dict(os.environ)
    )


def test_episodes_run_one_after_another_until_one_cannot(seeds) -> None:
    done = episode("2", "--seed", "10")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "e10: success, 4.0 s (labelled)",
        "e11: success, 4.0 s (labelled)",
    ]
    refused = episode("3", "--seed", "12")
    assert refused.returncode == 1
    assert "joint_states are not fresh" in refused.stderr
    assert seeds == [10, 11, 12]
