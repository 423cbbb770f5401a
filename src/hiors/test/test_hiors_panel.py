# SPDX-License-Identifier: Apache-2.0
"""`hiors panel` without Qt says what to install."""

import sys

import pytest

pytest.importorskip("rclpy")

from hiors.cli import main


def test_without_qt_the_way_to_get_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bindings = {"python_qt_binding", "PySide6", "PyQt5"}
    for name in list(sys.modules):
        if name.startswith("hiors_rqt"):
            monkeypatch.delitem(sys.modules, name)
        elif name.split(".")[0] in bindings:
            # Of the tests of the panels, where Qt is installed.
            monkeypatch.setitem(sys.modules, name, None)
    for name in bindings:
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["panel", "labels"]) == 2
    said = capsys.readouterr().err
    assert "sudo apt install python3-pyqt5" in said
    assert "make setup EXTRAS=panel" in said


def test_an_unknown_panel_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["panel", "labelz"])
    assert ended.value.code == 2
    assert "labels" in capsys.readouterr().err
