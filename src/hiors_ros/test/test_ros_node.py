# SPDX-License-Identifier: Apache-2.0
"""A node ends with 0 after a signal, with 2 and a sentence when it refuses to start."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState

from hiors_core.errors import InvalidValue
from hiors_ros.conversions import JointReader, to_array, to_ns, to_pose, to_stamp

SCRIPT = """
import sys
from hiors_core.errors import InvalidValue
from hiors_ros.node import HiorsNode, run_node
class Unit(HiorsNode):
    def __init__(self):
        super().__init__("unit")
        if "--refuse" in sys.argv:
            raise InvalidValue("no such arm")
        print("up", flush=True)
    def close(self):
        print("closed", flush=True)
sys.exit(run_node(Unit))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_with_zero(number: signal.Signals) -> None:
    node = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    assert node.stdout is not None
    assert node.stdout.readline() == "up\n"
    node.send_signal(number)
    out, _ = node.communicate(timeout=20)
    assert (node.returncode, out) == (0, "closed\n")


def test_a_realtime_node_runs_before_others_where_it_may() -> None:
    script = SCRIPT.replace("run_node(Unit)", "run_node(Unit, realtime=True)").replace(
        'print("up", flush=True)', "print(os.sched_getscheduler(0), flush=True)"
    )
    node = subprocess.Popen(
        [sys.executable, "-c", f"import os\n{script}"], stdout=subprocess.PIPE, text=True
    )
    assert node.stdout is not None
    policy = int(node.stdout.readline())
    node.terminate()
    node.communicate(timeout=20)
    assert node.returncode == 0
    assert policy == (os.SCHED_FIFO if may_be_realtime() else os.SCHED_OTHER)


def may_be_realtime() -> bool:
    ask = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, check=False)
    return done.returncode == 0


def test_a_refusal_is_a_sentence_and_code_2() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "--refuse"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "InvalidValue: no such arm"


def test_joints_are_read_by_name_in_any_order_and_in_parts() -> None:
    reader = JointReader(["a", "b"])
    reader.update(JointState(name=["b", "x"], position=[2.0, 9.0]))
    assert not reader.complete
    reader.update(JointState(name=["a"], position=[1.0], velocity=[0.5]))
    np.testing.assert_array_equal(reader.position, [1.0, 2.0])
    assert reader.velocity[0] == 0.5
    with pytest.raises(InvalidValue, match="1 names but 2 positions"):
        reader.update(JointState(name=["a"], position=[1.0, 2.0]))


def test_stamps_and_poses_round_trip() -> None:
    assert to_ns(to_stamp(1_234_567_890_123_456_789)) == 1_234_567_890_123_456_789
    pose = np.array([1.0, 2.0, 3.0, 0.0, 0.6, 0.0, 0.8])
    np.testing.assert_array_equal(to_array(to_pose(pose)), pose)
