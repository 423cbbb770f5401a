# SPDX-License-Identifier: Apache-2.0
"""A file that is renamed into a folder is heard of at once."""

import threading
from pathlib import Path

from hiors_core import watch
from hiors_core.durable import write_document
from hiors_core.watch import FolderBell, FolderWatch


def test_only_a_file_that_was_renamed_into_the_folder_is_heard_of(tmp_path: Path):
    heard = FolderWatch(tmp_path / "new")
    assert not heard.wait(0.0)
    (tmp_path / "new" / "aside").write_text("half")
    assert not heard.wait(0.0)
    write_document(tmp_path / "new" / "latest.json", {}, sync=False)
    assert heard.wait(30.0)
    assert not heard.wait(0.0)
    heard.close()


def test_a_kernel_without_notices_is_one_in_which_nothing_comes(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(watch, "_inotify", lambda _: None)
    heard = FolderWatch(tmp_path)
    write_document(tmp_path / "latest.json", {}, sync=False)
    assert not heard.wait(0.0)
    assert not heard.descriptors
    heard.close()


def test_the_bell_rings_for_each_and_ends(tmp_path: Path):
    rung = threading.Semaphore(0)
    bell = FolderBell(tmp_path, rung.release)
    for version in range(3):
        write_document(tmp_path / "latest.json", {"version": version}, sync=False)
        assert rung.acquire(timeout=30.0)
    bell.close()
    write_document(tmp_path / "latest.json", {}, sync=False)
    assert not rung.acquire(blocking=False)
