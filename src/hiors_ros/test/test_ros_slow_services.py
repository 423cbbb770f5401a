# SPDX-License-Identifier: Apache-2.0
"""A service that waits does not hold up its node, and is found under the node's own names."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")

import rclpy
from std_srvs.srv import Trigger

SCRIPT = """
import sys, threading
from std_srvs.srv import Trigger
from hiors_ros.node import HiorsNode, run_node
from hiors_ros.slow_services import SlowServices

class Unit(HiorsNode):
    def __init__(self):
        super().__init__("unit")
        self.asked, self.seen = threading.Event(), threading.Event()
        self.slow = SlowServices(self)
        self.slow.serve(Trigger, "wait", self.wait)
        self.create_timer(0.01, self.tick)
        print("up", flush=True)

    def tick(self):
        if self.asked.is_set():
            self.seen.set()

    def wait(self, _, response):
        self.asked.set()
        response.success = self.seen.wait(20.0)
        return response

    def close(self):
        self.slow.close()
        print("closed", flush=True)

sys.exit(run_node(Unit))
"""


@pytest.fixture
def unit(ros: None) -> Iterator["subprocess.Popen[str]"]:
    words = ["--ros-args", "-r", "__ns:=/robot1", "-r", "__node:=other", "-r", "wait:=hold"]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words], stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()


def test_the_node_goes_on_while_a_service_waits(unit: "subprocess.Popen[str]") -> None:
    assert unit.stdout is not None
    assert unit.stdout.readline() == "up\n"
    node = rclpy.create_node("asker")
    client = node.create_client(Trigger, "/robot1/hold")
    assert client.wait_for_service(timeout_sec=30.0)
    future = client.call_async(Trigger.Request())
    names = {"other", "other_services"}
    end = time.monotonic() + 30.0
    while not (future.done() and names <= set(node.get_node_names())) and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    assert future.done()
    assert future.result().success
    assert names <= set(node.get_node_names())
    node.destroy_node()
    unit.terminate()
    assert unit.communicate(timeout=20)[0] == "closed\n"
    assert unit.returncode == 0
