# SPDX-License-Identifier: Apache-2.0
"""`hiors top --once` prints one table of what is there."""

import pytest

pytest.importorskip("rclpy")

from hiors.cli import main


def test_one_table_of_an_empty_graph(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    assert main(["top", "--once", "0.5", "--namespace", "robot7"]) == 0
    said = capsys.readouterr().out
    assert "hiors top · /robot7" in said
    assert "NO NEWS" in said
    assert "joint_states" in said


def test_what_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "0"]) == 2
    assert "0.5 to 600" in capsys.readouterr().err
    assert main(["top", "--namespace", "a b", "--once", "1"]) == 2
    assert "namespace" in capsys.readouterr().err
