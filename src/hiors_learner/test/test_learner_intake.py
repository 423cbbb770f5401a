# SPDX-License-Identifier: Apache-2.0
"""Episodes that are read on a thread of their own, and how the pools of rows grow."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from learner_scene import samples

from hiors_learner.data import Pool
from hiors_learner.ingest import Entry, Taken
from hiors_learner.intake import Intake


def taken(name: str) -> Taken:
    entry = Entry(
        episode_id=name, sha256="", kind="online", transitions=1, path="", task="t", stamp=1
    )
    return Taken(entry=entry, samples=samples(1))


class Inbox:
    """In place of an Ingest: gives what was put in, and fails when told to."""

    def __init__(self, *names: str) -> None:
        self.waiting, self.given, self.trouble = list(names), 0, False

    def notices(self) -> Iterator[Taken]:
        if self.trouble:
            raise RuntimeError("the disk is gone")
        while self.waiting:
            self.given += 1
            yield taken(self.waiting.pop(0))


def until(condition) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def collect(intake: Intake, count: int) -> list[str]:
    found: list[str] = []

    def enough() -> bool:
        item = intake.next()
        if item is not None:
            found.append(item.entry.episode_id)
        return len(found) >= count

    until(enough)
    return found


def test_episodes_come_in_their_order_and_few_are_read_ahead():
    inbox = Inbox(*(f"e{i}" for i in range(9)))
    intake = Intake(inbox)
    assert collect(intake, 1) == ["e0"]
    until(lambda: inbox.given >= 3)
    assert inbox.given <= 4, "memory: only what the training loop will soon take is read"
    assert collect(intake, 8) == [f"e{i}" for i in range(1, 9)]
    inbox.waiting.append("late")
    assert collect(intake, 1) == ["late"]
    intake.close()


def test_what_ends_the_thread_ends_the_training_loop():
    inbox = Inbox()
    inbox.trouble = True
    intake = Intake(inbox)
    with pytest.raises(RuntimeError, match="disk is gone"):
        until(intake.next)


def test_it_can_be_closed_while_nobody_takes_anything():
    intake = Intake(Inbox(*(f"e{i}" for i in range(9))))
    assert intake.next() is None
    intake.close()
    assert not [t for t in threading.enumerate() if t.name == "intake"]
    intake.close()


def test_a_pool_keeps_the_order_of_its_rows_while_it_grows():
    parts = [samples(count, seed=count) for count in (3, 1, 5, 2, 8)]
    pool = Pool(samples(0))
    for part in parts:
        pool.add(part)
    assert len(pool) == 19
    for i, array in enumerate(pool.all().arrays()):
        np.testing.assert_array_equal(array, np.concatenate([p.arrays()[i] for p in parts]))
