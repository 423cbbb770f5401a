# SPDX-License-Identifier: Apache-2.0
"""Nodes reach each other over loopback alone, unless the user says otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hiors.arguments import BringupArgs
from hiors.graph import build_graph
from hiors.middleware import PROFILE, RANGE, transport_env

NODE = """
import rclpy, psutil
rclpy.init()
node = rclpy.create_node("probe")
with open("/proc/self/maps") as maps:
    print(sum("/dev/shm/fastrtps" in line for line in maps))
for one in psutil.Process().net_connections("udp"):
    print(one.laddr.ip)
"""


def profiles(tmp_path: Path, **values: object) -> dict[str, str]:
    graph = build_graph(BringupArgs(run_dir=str(tmp_path), teleop="none", **values))
    return {node.name: Path(node.env[PROFILE]).name for node in graph.nodes}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (RANGE, PROFILE, "RMW_IMPLEMENTATION"):
        monkeypatch.delenv(name, raising=False)


def test_only_nodes_that_take_frames_of_real_cameras_share_memory(tmp_path: Path) -> None:
    assert set(profiles(tmp_path).values()) == {"loopback.xml"}
    real = profiles(tmp_path, sim=False)
    assert {n for n, profile in real.items() if profile == "loopback_images.xml"} == {
        "policy",
        "recorder",
    }
    assert set(profiles(tmp_path, sim=False, cameras=False).values()) == {"loopback.xml"}


@pytest.mark.parametrize(
    "own",
    [{RANGE: "SUBNET"}, {PROFILE: "/etc/mine.xml"}, {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}],
)
def test_what_the_user_chose_stands(own: dict[str, str]) -> None:
    assert transport_env(raw_images=True, env=own) == {}


def test_the_profile_of_the_shell_gives_way_to_the_one_for_images() -> None:
    shell = transport_env(raw_images=False, env={})
    assert transport_env(raw_images=True, env=shell)[PROFILE].endswith("loopback_images.xml")


def test_a_node_hears_loopback_alone_and_shares_no_memory() -> None:
    pytest.importorskip("rclpy")
    env = os.environ | transport_env(raw_images=False)
    done = subprocess.run(
        [sys.executable, "-c", NODE], env=env, capture_output=True, text=True, check=True
    )
    shared, *addresses = done.stdout.split()
    assert shared == "0"
    assert set(addresses) <= {"127.0.0.1", "239.255.0.1"}
    assert "127.0.0.1" in addresses
