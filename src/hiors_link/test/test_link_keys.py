# SPDX-License-Identifier: Apache-2.0
"""Key files: private ones for their owner only, none overwritten, each under its own name."""

import stat
from pathlib import Path

import pytest

from hiors_core.errors import HiorsError, InvalidValue, StateError, UnknownName
from hiors_link.keys import new_identity, public_keys, read_identity, read_public


def test_a_pair_is_written_and_read(tmp_path: Path):
    made = new_identity(tmp_path / "keys", "robot1")
    assert read_identity(tmp_path / "keys", "robot1") == made
    assert read_public(tmp_path / "keys", "robot1") == made.public
    assert public_keys(tmp_path / "keys") == {made.public: "robot1"}
    assert stat.S_IMODE((tmp_path / "keys" / "robot1.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert made.secret.decode() not in repr(made)
    assert made.secret.decode() not in (tmp_path / "keys" / "robot1.pub").read_text()


def test_keys_are_never_overwritten(tmp_path: Path):
    made = new_identity(tmp_path, "robot1")
    with pytest.raises(StateError, match="never overwritten"):
        new_identity(tmp_path, "robot1")
    assert read_identity(tmp_path, "robot1") == made


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path):
    new_identity(tmp_path, "robot1")
    (tmp_path / "robot1.key").chmod(0o644)
    with pytest.raises(InvalidValue, match="chmod 600"):
        read_identity(tmp_path, "robot1")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 33, "a b"])
def test_a_name_is_no_path(tmp_path: Path, name: str):
    with pytest.raises(InvalidValue, match="is no name"):
        new_identity(tmp_path, name)


@pytest.mark.parametrize("text", ["", "{}", '{"name":"robot1","public":"short"}', "\x00\xff"])
def test_a_damaged_key_file_is_refused_and_others_still_count(tmp_path: Path, text: str):
    made = new_identity(tmp_path, "robot2")
    (tmp_path / "robot1.pub").write_text(text)
    with pytest.raises(HiorsError):
        read_public(tmp_path, "robot1")
    assert public_keys(tmp_path) == {made.public: "robot2"}


def test_a_key_under_another_name_is_refused(tmp_path: Path):
    new_identity(tmp_path, "robot1")
    (tmp_path / "robot1.pub").rename(tmp_path / "robot2.pub")
    with pytest.raises(InvalidValue, match="holds the key of 'robot1'"):
        read_public(tmp_path, "robot2")


def test_a_missing_key_names_those_that_are_there(tmp_path: Path):
    new_identity(tmp_path, "robot1")
    with pytest.raises(UnknownName, match=r"learner.key.*robot1.key"):
        read_identity(tmp_path, "learner")
