# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from hiors_core.errors import IntegrityError, InvalidValue
from hiors_core.link import LedgerEntry, Link, Notice


def entry(name="e1"):
    return LedgerEntry(episode_id=name, sha256="ab", kind="online", transitions=7)


def append(root, text):
    with (root / "ledger.jsonl").open("ab") as file:
        file.write(text if isinstance(text, bytes) else f"{text}\n".encode())


def line(name):
    return json.dumps(
        {"episode_id": name, "sha256": "ab", "kind": "online", "transitions": 7, "stamp": 3}
    )


def test_a_notice_is_one_whole_file_named_by_the_episode(tmp_path):
    link = Link(tmp_path)
    for _ in range(2):
        link.send(Notice(episode_id="e1", path="/run/e1", sha256="ab", task="insert"))
    (path,) = link.inbox.iterdir()
    assert path.name == "e1.json"
    assert json.loads(path.read_text()) == {
        "episode_id": "e1",
        "path": "/run/e1",
        "sha256": "ab",
        "task": "insert",
        "actor": "",
    }


def test_a_notice_of_what_is_no_id_is_not_written(tmp_path):
    with pytest.raises(InvalidValue):
        Link(tmp_path).send(Notice(episode_id="../x", path="", sha256="", task=""))
    assert list(tmp_path.rglob("*.json")) == []


def test_the_ledger_is_read_entry_by_entry(tmp_path):
    link = Link(tmp_path)
    assert link.ledger() == []
    append(tmp_path, line("e1"))
    assert link.new_entries() == [entry("e1")]
    append(tmp_path, line("e2"))
    assert link.new_entries() == [entry("e2")]
    assert link.new_entries() == []
    assert link.ledger() == [entry("e1"), entry("e2")]


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(tmp_path):
    link = Link(tmp_path)
    whole = f"{line('e1')}\n".encode()
    append(tmp_path, whole[:30])
    assert link.new_entries() == []
    append(tmp_path, whole[30:])
    assert link.new_entries() == [entry("e1")]


@pytest.mark.parametrize("text", ["", "3", "{}", '{"episode_id": "../x"}', b"\xff\n", "[[["])
def test_rubbish_in_the_ledger_is_skipped(tmp_path, text):
    append(tmp_path, text)
    append(tmp_path, line("e1"))
    assert Link(tmp_path).ledger() == [entry()]


def test_the_status_is_none_until_the_learner_speaks(tmp_path):
    link = Link(tmp_path)
    assert link.status() is None
    (tmp_path / "status.json").write_text(json.dumps({"step": 3}))
    assert link.status() == {"step": 3}
    (tmp_path / "status.json").write_text("{")
    with pytest.raises(IntegrityError):
        link.status()
