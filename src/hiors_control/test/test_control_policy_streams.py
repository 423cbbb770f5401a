# SPDX-License-Identifier: Apache-2.0
"""What the policy node looks at and loads, without ROS: ages by name, swaps on a thread of their
own.
"""

import threading
from pathlib import Path

import numpy as np
import pytest

from hiors_control.checkpoint_swap import CheckpointSwap
from hiors_control.policy_streams import COMMAND, JOINTS, Streams, camera_topic, object_topic
from hiors_core.clock import to_ns
from hiors_core.errors import HiorsError, IntegrityError

BOX, TOP = object_topic("box"), camera_topic("top")
NOW = 10**18


def streams() -> Streams:
    ages = {JOINTS: 0.2, COMMAND: 0.2, BOX: 0.5, TOP: 0.5}
    return Streams(ages, ("box",), ("top",), decode=lambda image: image[::-1])


def filled(**late: float) -> Streams:
    """Streams of which the named ones are late by so many seconds."""
    made = streams()
    for topic, value in {
        JOINTS: np.ones(7),
        COMMAND: np.zeros(7),
        BOX: np.arange(7.0),
        TOP: np.arange(4),
    }.items():
        made.put(topic, NOW - to_ns(late.get(topic, 0.0)), value)
    return made


def test_fresh_streams_have_no_problem_and_give_an_observation():
    made = filled()
    assert made.problems(NOW) == []
    seen = made.observation()
    assert seen.stamp == NOW
    assert np.array_equal(seen.position, np.ones(7))
    assert np.array_equal(seen.command, np.zeros(7))
    assert np.array_equal(seen.objects["box"], np.arange(7.0))
    assert np.array_equal(seen.images["top"], [3, 2, 1, 0])


def test_the_observation_has_the_stamp_of_the_command_in_force():
    assert filled(**{COMMAND: 0.05}).observation().stamp == NOW - to_ns(0.05)


def test_every_missing_stream_is_named():
    assert [p.split(":")[0] for p in streams().problems(NOW)] == [JOINTS, COMMAND, BOX, TOP]


@pytest.mark.parametrize(
    ("topic", "limit"), [(JOINTS, 0.2), (COMMAND, 0.2), (BOX, 0.5), (TOP, 0.5)]
)
def test_a_stale_stream_is_named_with_its_age(topic: str, limit: float):
    assert filled(**{topic: limit - 0.01}).problems(NOW) == []
    (problem,) = filled(**{topic: limit + 0.1}).problems(NOW)
    assert problem == f"{topic}: {limit + 0.1:.2f} s old, at most {limit:.2f} s are allowed"


def test_a_frozen_camera_grows_old_although_its_messages_keep_coming():
    made = filled()
    for late in range(5):
        made.put(TOP, NOW, np.arange(4))
        problems = made.problems(NOW + to_ns(0.2 * late))
    assert any(p.startswith(TOP) for p in problems)


def test_a_stamp_of_the_future_is_a_problem():
    (problem,) = filled(**{BOX: -1.0}).problems(NOW)
    assert problem == f"{BOX}: stamped 1.00 s in the future"


def test_a_late_message_does_not_replace_a_newer_one():
    made = filled()
    made.put(JOINTS, NOW - 1, np.full(7, 9.0))
    assert np.array_equal(made.observation().position, np.ones(7))


def test_what_was_loaded_is_taken_once():
    swap = CheckpointSwap(lambda folder: folder.name, lambda folder, reason: None)
    assert swap.take() is None
    assert swap.request(Path("a")).result(10) == "a"
    assert swap.take() == "a"
    assert swap.take() is None
    swap.close()


def test_only_the_newest_waits():
    swap = CheckpointSwap(lambda folder: folder.name, lambda folder, reason: None)
    for name in ("a", "b"):
        swap.request(Path(name)).result(10)
    assert swap.take() == "b"
    swap.close()


@pytest.mark.parametrize("error", [IntegrityError("bit rot"), ZeroDivisionError("bug"), OSError()])
def test_a_refused_checkpoint_leaves_the_loader_alive(error: Exception):
    told = []

    def load(folder: Path) -> str:
        if folder.name == "bad":
            raise error
        return folder.name

    swap = CheckpointSwap(load, lambda folder, reason: told.append((folder.name, reason)))
    with pytest.raises(HiorsError):
        swap.request(Path("bad")).result(10)
    assert told[0][0] == "bad"
    assert swap.take() is None
    assert swap.request(Path("good")).result(10) == "good"
    swap.close()


def test_loading_does_not_hold_up_the_taker():
    gate = threading.Event()

    def load(folder: Path) -> str:
        gate.wait(10)
        return folder.name

    swap = CheckpointSwap(load, lambda folder, reason: None)
    future = swap.request(Path("slow"))
    assert swap.take() is None
    assert not future.done()
    gate.set()
    assert future.result(10) == "slow"
    swap.close()
