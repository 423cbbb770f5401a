# SPDX-License-Identifier: Apache-2.0
import signal
import subprocess
import sys

import numpy as np
import pytest
import yaml

from hiors_core.bag import BagReader, BagWriter, encode, make
from hiors_core.bag_metadata import Qos
from hiors_core.errors import IntegrityError, InvalidValue, StateError, UnknownName
from hiors_core.recovery import salvage_messages
from hiors_core.stamps import time_fields

EXECUTED = "hiors_interfaces/msg/ExecutedAction"
STRING = "std_msgs/msg/String"


def executed(stamp, tick):
    return encode(
        EXECUTED,
        make(
            EXECUTED,
            header={"stamp": time_fields(stamp)},
            tick=tick,
            names=["a", "b"],
            position=[1.0 * tick, 2.0],
        ),
    )


def write(folder, count=40, qos=lambda _: Qos()):
    folder.mkdir()
    bag = BagWriter(folder, qos)
    for i in range(count):
        stamp = 10**18 + i * 20_000_000
        bag.write("control/executed", EXECUTED, executed(stamp, i), stamp, i)
        bag.write("/note", STRING, encode(STRING, make(STRING, data=f"é{i}")), stamp)
    bag.close()
    return folder


def test_what_was_written_is_read_by_time_and_topic(tmp_path):
    reader = BagReader(write(tmp_path / "e1"))
    assert reader.topics == {"/control/executed": (EXECUTED, 40), "/note": (STRING, 40)}
    notes = list(reader.messages(["note"]))
    assert [m.stamp for m in notes] == [10**18 + i * 20_000_000 for i in range(40)]
    assert len(list(reader.messages())) == 80


def test_a_topic_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean '/note'"):
        list(BagReader(write(tmp_path / "e1")).messages(["notes"]))


def test_a_topic_keeps_its_type(tmp_path):
    (tmp_path / "e1").mkdir()
    bag = BagWriter(tmp_path / "e1")
    bag.write("/a", STRING, b"", 1)
    with pytest.raises(InvalidValue, match=STRING):
        bag.write("/a", EXECUTED, b"", 2)
    bag.abandon()


def test_metadata_is_rosbag2s_version_9(tmp_path):
    qos = {"/note": Qos(latched=True, depth=1)}
    folder = write(tmp_path / "e1", qos=lambda name: qos.get(name, Qos(reliable=False)))
    data = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (data["version"], data["storage_identifier"]) == (9, "mcap")
    assert data["relative_file_paths"] == ["e1_0.mcap"]
    assert data["starting_time"]["nanoseconds_since_epoch"] == 10**18
    assert data["duration"]["nanoseconds"] == 39 * 20_000_000
    assert data["message_count"] == 80 == data["files"][0]["message_count"]
    topics = {t["topic_metadata"]["name"]: t for t in data["topics_with_message_count"]}
    note = topics["/note"]["topic_metadata"]
    assert note["type_description_hash"].startswith("RIHS01_df668c740482bbd48f")
    assert note["offered_qos_profiles"][0]["durability"] == "transient_local"
    executed_qos = topics["/control/executed"]["topic_metadata"]["offered_qos_profiles"][0]
    assert executed_qos["reliability"] == "best_effort"


def test_the_file_is_an_mcap_of_profile_ros2_with_hashes_and_qos(tmp_path):
    make_reader = pytest.importorskip("mcap.reader").make_reader
    with (write(tmp_path / "e1") / "e1_0.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert reader.get_header().profile == "ros2"
        assert [m.name for m in reader.iter_metadata()] == ["rosbag2"]
    schemas = {s.name: s for s in summary.schemas.values()}
    assert schemas[EXECUTED].encoding == "ros2msg"
    assert b"MSG: std_msgs/Header" in schemas[EXECUTED].data
    for channel in summary.channels.values():
        assert channel.message_encoding == "cdr"
        assert channel.metadata["topic_type_hash"].startswith("RIHS01_")
        assert (
            yaml.safe_load(channel.metadata["offered_qos_profiles"])[0]["history"] == "keep_last"
        )


def test_rosbags_reads_it_as_a_bag(tmp_path):
    any_reader = pytest.importorskip("rosbags.highlevel").AnyReader
    with any_reader([write(tmp_path / "e1")]) as reader:
        found = [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages()]
    ticks = [m.tick for m in found if hasattr(m, "tick")]
    assert ticks == list(range(40))


def test_mcap_ros2_support_reads_it(tmp_path):
    read = pytest.importorskip("mcap_ros2.reader").read_ros2_messages
    folder = write(tmp_path / "e1")
    found = [m.ros_msg.data for m in read(str(folder / "e1_0.mcap"), topics=["/note"])]
    assert found == [f"é{i}" for i in range(40)]


def test_a_closed_bag_takes_no_more(tmp_path):
    folder = tmp_path / "e1"
    folder.mkdir()
    bag = BagWriter(folder)
    bag.close()
    assert BagReader(folder).topics == {}
    with pytest.raises(StateError, match="closed"):
        bag.write("/a", STRING, b"", 1)


def test_every_truncation_is_an_integrity_error_never_another_one(tmp_path):
    path = write(tmp_path / "e1") / "e1_0.mcap"
    data = path.read_bytes()
    for length in range(0, len(data), 37):
        path.write_bytes(data[:length])
        with pytest.raises(IntegrityError):
            list(BagReader(path).messages())


def test_flipped_bits_never_escape_as_another_error(tmp_path):
    path = write(tmp_path / "e1") / "e1_0.mcap"
    data = path.read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(150):
        noisy = bytearray(data)
        noisy[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(noisy)
        try:
            list(BagReader(path).messages())
        except IntegrityError:
            continue


def test_salvage_stops_where_the_file_is_damaged(tmp_path):
    path = write(tmp_path / "e1", count=2000) / "e1_0.mcap"
    whole = len(list(salvage_messages(path)))
    assert whole == 4000
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 0 < len(list(salvage_messages(path))) < whole


FULL = """
import resource, sys
from pathlib import Path
from hiors_core.bag import BagWriter, BagWriteError
folder = Path(sys.argv[1]); folder.mkdir()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
bag = BagWriter(folder)
errors = []
for i in range(400):
    try:
        bag.write("/a", "std_msgs/msg/String", __import__("os").urandom(1000), i)
    except BagWriteError as error:
        errors.append(str(error))
try:
    bag.close()
except BagWriteError as error:
    errors.append(str(error))
bag.abandon()
print(len(errors), len(set(errors)), errors[0])
"""


def test_the_first_write_error_of_a_full_disk_is_kept(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "e1")],
        capture_output=True,
        text=True,
        check=True,
    )
    count, different, text = result.stdout.split(maxsplit=2)
    assert int(count) > 250
    assert int(different) == 1
    assert "bytes free of" in text


QUIET = """
import sys, time
from pathlib import Path
from hiors_core.bag import BagWriter, encode, make
folder = Path(sys.argv[1]); folder.mkdir()
bag = BagWriter(folder)
data = encode("std_msgs/msg/String", make("std_msgs/msg/String", data="x" * 20))
for i in range(1000):
    bag.write("/a", "std_msgs/msg/String", data, i * 10_000_000)
print("written", flush=True)
time.sleep(60)
"""


def test_a_kill_costs_a_quiet_stream_no_more_than_the_flush_period(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", QUIET, str(tmp_path / "e1")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stamps = [m.stamp for m in salvage_messages(tmp_path / "e1" / "e1_0.mcap")]
    assert stamps[-1] >= 999 * 10_000_000 - 500_000_000
