# SPDX-License-Identifier: Apache-2.0
"""Replay: the pace, what is left out, and what subscribers really get."""

import time
from pathlib import Path

import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from hiors import replay
from hiors_core.bag import BagReader, BagWriter, encode, make
from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_data.recording import Message, Recording, Topic

SECOND = 1_000_000_000
STATE, COMMAND = "/joint_states", "/control/command"


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """A bag of one second: ten states and ten commands."""
    folder = tmp_path / "bag"
    folder.mkdir()
    writer = BagWriter(folder)
    data = encode("std_msgs/msg/String", make("std_msgs/msg/String", data="x"))
    for i in range(10):
        for topic in (STATE, COMMAND):
            writer.write(topic, "std_msgs/msg/String", data, 5 * SECOND + i * SECOND // 10)
    writer.close()
    return folder


def test_the_pace_maps_time_and_a_pause_shifts_it() -> None:
    pace = replay.Pace(origin=100, start=1000, rate=2.0)
    assert pace.due(140) == 1020
    assert pace.bag_time(1020) == 140
    pace.toggle(1010)
    assert pace.bag_time(5000) == 120
    pace.toggle(1510)
    assert pace.due(140) == 1520


def test_commands_are_left_out_unless_asked_for(bag: Path) -> None:
    parser = replay._parser()
    with Recording(bag) as recording:
        chosen = replay._chosen(recording, parser.parse_args([str(bag)]))
        assert set(chosen) == {STATE}
        chosen = replay._chosen(recording, parser.parse_args([str(bag), "--with-commands"]))
        assert set(chosen) == {STATE, COMMAND}


def test_a_strangers_bag_is_played_as_far_as_its_types_are_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rclpy")
    store = get_typestore(Stores.ROS2_JAZZY)
    own = get_types_from_msg("int32 value", "stranger_msgs/msg/Thing")
    store.register(own)
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        for name, kind in (
            ("/words", "std_msgs/msg/String"),
            ("/clock", "rosgraph_msgs/msg/Clock"),
            ("/base/velocity", "geometry_msgs/msg/Twist"),
            ("/thing", "stranger_msgs/msg/Thing"),
        ):
            writer.add_connection(name, kind, typestore=store)
    parser = replay._parser()
    with Recording(tmp_path / "bag") as recording:
        chosen = replay._chosen(recording, parser.parse_args(["bag"]))
        assert set(chosen) == {"/words"}
        assert "/thing (stranger_msgs/msg/Thing)" in capsys.readouterr().out
        with pytest.raises(HiorsError, match="stranger_msgs"):
            replay._chosen(recording, parser.parse_args(["bag", "--topics", "/thing"]))


def test_wrong_topics_rates_and_bags_are_refused(bag: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean '/joint_states'"):
        replay.main([str(bag), "--topics", "/joint_state"])
    with pytest.raises(InvalidValue, match="rate"):
        replay.main([str(bag), "--rate", "0"])
    with pytest.raises(HiorsError, match="no recording"):
        replay.main([str(bag / "none")])


def test_a_message_type_that_is_not_built_is_named() -> None:
    pytest.importorskip("rclpy")
    with pytest.raises(HiorsError, match="no_such_msgs"):
        replay.message_class("no_such_msgs/msg/Thing")


def test_subscribers_get_every_message_and_the_clock(bag: Path, ros: None) -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import QoSProfile
    from rosgraph_msgs.msg import Clock
    from std_msgs.msg import String

    node = rclpy.create_node("listener")
    player = replay.Player(
        node, {"/replayed": Topic(name="/replayed", type_name="std_msgs/msg/String", count=10)}
    )
    texts: list[str] = []
    stamps: list[int] = []
    node.create_subscription(
        String, "/replayed", lambda m: texts.append(m.data), QoSProfile(depth=100)
    )
    node.create_subscription(
        Clock, "/clock", lambda m: stamps.append(m.clock.sec), QoSProfile(depth=1000)
    )
    player.wait_for_matches(10.0)
    messages = [(m.stamp, m.data) for m in BagReader(bag).messages([STATE])]

    class Renamed:
        def messages(self, topics: list[str]):
            for stamp, data in messages:
                yield Message(topics[0], "std_msgs/msg/String", stamp, data)

    assert player.play(Renamed(), 10.0, lambda: "") == 10
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    end = time.monotonic() + 10.0
    while (len(texts) < 10 or not stamps) and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    node.destroy_node()
    assert texts == ["x"] * 10
    assert set(stamps) == {5}
