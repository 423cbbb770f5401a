# SPDX-License-Identifier: Apache-2.0
"""The small pieces that both panels are made of."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from hiors_rqt.qt import Qt, QtWidgets
from hiors_rqt.style import LEVELS


def label(text: str = "", kind: str = "", *, wrap: bool = False) -> Any:
    """Return a text; ``kind`` is "soft", "title", "eyebrow" or nothing. HTML in it stays text."""
    made = QtWidgets.QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    if kind:
        made.setProperty(kind, True)
    return made


def button(text: str, name: str, tip: str, pressed: Callable[[], object]) -> Any:
    """Return a push button that calls ``pressed``."""
    made = QtWidgets.QPushButton(text)
    made.setObjectName(name)
    made.setToolTip(tip)
    made.clicked.connect(lambda _=False: pressed())
    return made


def card(title: str) -> tuple[Any, Any]:
    """Return a framed box and the layout inside it."""
    frame = QtWidgets.QFrame()
    frame.setProperty("card", True)
    inside = QtWidgets.QVBoxLayout(frame)
    inside.setContentsMargins(14, 12, 14, 12)
    inside.setSpacing(6)
    if title:
        inside.addWidget(label(title, "eyebrow"))
    return frame, inside


class Facts(QtWidgets.QWidget):  # type: ignore[misc]
    """Names at the left, values at the right."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QtWidgets.QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._values: dict[str, Any] = {}

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these values."""
        for name, value in facts:
            if name not in self._values:
                row = len(self._values)
                self._grid.addWidget(label(name, "soft"), row, 0)
                self._values[name] = label("")
                side = Qt.AlignmentFlag.AlignRight
                self._grid.addWidget(self._values[name], row, 1, side)
            self._values[name].setText(value)


class Devices(QtWidgets.QWidget):  # type: ignore[misc]
    """A dot, a name and a message for each device; the worst come first."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = QtWidgets.QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(4)
        self._shown: list[tuple[Any, Any, Any]] = []

    def show_devices(self, devices: Sequence[tuple[str, str, str]]) -> None:
        """Show these (level, name, message)."""
        while len(self._shown) < len(devices):
            self._shown.append(self._add())
        for i, (dot, name, message) in enumerate(self._shown):
            visible = i < len(devices)
            dot.parentWidget().setVisible(visible)
            if visible:
                level, title, text = devices[i]
                dot.setStyleSheet(f"background: {LEVELS[level]}; border-radius: 5px;")
                name.setText(title)
                message.setText(text)
                # Qt takes a tip that looks like HTML for HTML.
                message.setToolTip(f"<qt>{escape(text)}</qt>")

    def _add(self) -> tuple[Any, Any, Any]:
        line = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        dot = QtWidgets.QLabel()
        dot.setFixedSize(10, 10)
        name, message = label(""), label("", "soft", wrap=True)
        row.addWidget(dot)
        row.addWidget(name)
        row.addWidget(message, 1)
        self._rows.addWidget(line)
        return dot, name, message


class NoticeLine(QtWidgets.QLabel):  # type: ignore[misc]
    """The newest answer of a service."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setMinimumHeight(20)

    def tell(self, level: str, text: str) -> None:
        """Show one line; ``level`` is "info", "warn" or "error"."""
        colour = {"info": LEVELS["ok"], "warn": LEVELS["warn"]}.get(level, LEVELS["error"])
        self.setStyleSheet(f"color: {colour};")
        self.setText(text)
