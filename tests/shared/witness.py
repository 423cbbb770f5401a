# SPDX-License-Identifier: Apache-2.0
"""A node of the test's own that starts, hears and calls the nodes under test, which are processes.
Knows no package under test.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.publisher import Publisher

from hiors_ros import qos

DEADLINE = 30.0
"""Seconds after which what has not happened never will, on a loaded machine too."""


class Witness:
    """The test's node; ``heard`` has the messages of each topic that it listens to."""

    def __init__(self, name: str, errors: Path | None = None) -> None:
        """``errors`` takes what the processes say; without it each has a pipe to be read."""
        self.node = rclpy.create_node(name)
        self.heard: dict[str, list[Any]] = {}
        self.processes: list[subprocess.Popen[str]] = []
        self.errors = errors

    def listen(
        self, kind: Any, topic: str, callback: Callable[[Any], None] | None = None
    ) -> list[Any]:
        heard = self.heard.setdefault(topic, [])
        self.node.create_subscription(kind, topic, callback or heard.append, qos.profile(topic))
        return heard

    def advertise(self, kind: Any, topic: str) -> Publisher:
        return self.node.create_publisher(kind, topic, qos.profile(topic))

    def start(self, module: str, **parameters: object) -> "subprocess.Popen[str]":
        """Start a node with its parameters."""
        return self.run([sys.executable, "-m", module, *overrides(parameters)])

    def run(self, words: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
        if self.errors is None:
            process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, **options)
        else:
            with self.errors.open("a") as errors:
                process = subprocess.Popen(words, stderr=errors, text=True, **options)
        self.processes.append(process)
        return process

    def spin_until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"waited in vain for: {what}\n{self.explain()}")
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def explain(self) -> str:
        """Return what may tell why something was waited for in vain."""
        return self.errors.read_text() if self.errors is not None else ""

    def call(self, kind: Any, name: str, **request: object) -> Any:
        """Call a service and return its answer."""
        client = self.node.create_client(kind, name)
        self.spin_until(client.service_is_ready, name)
        future = client.call_async(kind.Request(**request))
        self.spin_until(future.done, f"an answer of {name}")
        return future.result()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        self.node.destroy_node()


def overrides(parameters: dict[str, object]) -> list[str]:
    """Return the words of a command line that set a node's parameters."""
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    return ["--ros-args", *words]
