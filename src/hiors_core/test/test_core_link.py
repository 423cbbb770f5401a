# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from hiors_core.errors import IntegrityError, InvalidValue
from hiors_core.link import LedgerEntry, Link, Notice


def notice(name="e1"):
    return Notice(episode_id=name, path=f"/run/{name}", sha256="ab", task="insert")


def entry(name="e1"):
    return LedgerEntry(episode_id=name, sha256="ab", kind="online", transitions=7)


def test_a_notice_is_there_until_it_is_taken(tmp_path):
    link = Link(tmp_path)
    link.send(notice())
    link.send(notice())
    assert link.pending() == [notice()]
    assert [p.name for p in link.inbox.iterdir()] == ["e1.json"]
    link.take(notice())
    link.take(notice())
    assert link.pending() == []


def test_the_ledger_is_read_once_per_entry_by_each_reader(tmp_path):
    writer, reader = Link(tmp_path), Link(tmp_path)
    assert reader.ledger() == []
    writer.append(entry("e1"))
    assert reader.new_entries() == [entry("e1")]
    writer.append(entry("e2"))
    assert reader.new_entries() == [entry("e2")]
    assert reader.new_entries() == []
    assert reader.ledger() == [entry("e1"), entry("e2")]


def test_a_torn_line_is_skipped_and_costs_nothing_after_it(tmp_path):
    link = Link(tmp_path)
    link.append(entry("e1"))
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(b'{"episode_id": "e2", "sha')
    assert link.ledger() == [entry("e1")]
    link.append(entry("e3"))
    assert link.ledger() == [entry("e1"), entry("e3")]
    assert link.new_entries() == []


@pytest.mark.parametrize("line", ["", "3", "{}", '{"episode_id": "../x"}', "\xff", "[[["])
def test_rubbish_in_the_ledger_is_skipped(tmp_path, line):
    (tmp_path / "ledger.jsonl").write_text(f"{line}\n", encoding="latin-1")
    link = Link(tmp_path)
    link.append(entry())
    assert link.ledger() == [entry()]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"episode_id": "../../x", "path": "", "sha256": "", "task": ""}']
)
def test_a_damaged_notice_is_left_out(tmp_path, text):
    link = Link(tmp_path)
    link.send(notice("good"))
    (link.inbox / "bad.json").write_text(text)
    assert link.pending() == [notice("good")]


def test_a_notice_of_what_is_no_id_is_not_written(tmp_path):
    with pytest.raises(InvalidValue):
        Link(tmp_path).send(notice("../x"))


def test_the_status_is_none_until_the_learner_speaks(tmp_path):
    link = Link(tmp_path)
    assert link.status() is None
    (tmp_path / "status.json").write_text(json.dumps({"step": 3}))
    assert link.status() == {"step": 3}
    (tmp_path / "status.json").write_text("{")
    with pytest.raises(IntegrityError):
        link.status()
