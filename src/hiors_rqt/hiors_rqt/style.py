# SPDX-License-Identifier: Apache-2.0
"""The looks of the panels, on the light or dark palette that the window has."""

from typing import Any

from hiors_rqt.qt import Qt

_LIGHT = {
    "ground": "#f4f6f8", "card": "#ffffff", "raised": "#eef1f5", "line": "#d5dbe3",
    "text": "#16202b", "soft": "#566474", "good": "#17824c", "bad": "#c62d33", "blue": "#1f6feb",
}  # fmt: skip
_DARK = {
    "ground": "#0f141a", "card": "#171e27", "raised": "#212b37", "line": "#2d3946",
    "text": "#e7ecf2", "soft": "#9aa9b9", "good": "#4cc38a", "bad": "#ff6b6b", "blue": "#4c9dff",
}  # fmt: skip
LEVELS = {"ok": "#2da66a", "warn": "#d29922", "error": "#e5484d", "stale": "#8a94a3"}

_SHEET = """
#hiors {{ background: {ground}; color: {text}; font-size: 13px; }}
#hiors QLabel {{ color: {text}; background: transparent; }}
#hiors QLabel[soft="true"] {{ color: {soft}; }}
#hiors QLabel[title="true"] {{ font-size: 26px; font-weight: 650; }}
#hiors QLabel[eyebrow="true"] {{ color: {soft}; font-weight: 600; font-size: 12px; }}
#hiors QFrame[card="true"] {{ background: {card}; border: 1px solid {line};
  border-radius: 12px; }}
#hiors QLabel#problems {{ color: #9a6700; background: #fff3cd; border-radius: 8px;
  padding: 6px 10px; }}
#hiors QPushButton {{ background: {raised}; color: {text}; border: 1px solid {line};
  border-radius: 10px; padding: 10px 14px; font-weight: 600; }}
#hiors QPushButton:hover {{ border-color: {soft}; }}
#hiors QPushButton:pressed {{ background: {line}; }}
#hiors QPushButton:focus {{ border: 2px solid {blue}; }}
#hiors QPushButton:disabled {{ color: {line}; }}
#hiors QPushButton#toggle {{ background: {text}; color: {card}; border-color: {text}; }}
#hiors QPushButton#toggle:disabled {{ background: {raised}; color: {soft}; border-color: {line}; }}
#hiors QPushButton#stop {{ background: #d92d26; color: white; border-color: #ff5a52;
  font-size: 19px; font-weight: 800; padding: 14px 26px; }}
#hiors QPushButton#stop:hover {{ background: #f23d35; }}
#hiors QPushButton#success {{ color: {good}; border-color: {good}; }}
#hiors QPushButton#failure {{ color: {bad}; border-color: {bad}; }}
#hiors QLineEdit, #hiors QComboBox {{ background: {card}; color: {text}; border: 1px solid {line};
  border-radius: 8px; padding: 7px 9px; }}
#hiors QComboBox::drop-down {{ border: 0; width: 22px; }}
#hiors QComboBox QAbstractItemView {{ background: {card}; color: {text};
  selection-background-color: {raised}; selection-color: {text}; }}
#hiors QScrollBar:vertical {{ background: transparent; width: 10px; margin: 4px 1px; }}
#hiors QScrollBar::handle:vertical {{ background: {line}; border-radius: 4px; min-height: 30px; }}
#hiors QScrollBar::add-line, #hiors QScrollBar::sub-line {{ height: 0; }}
#hiors QLineEdit:focus {{ border: 2px solid {blue}; }}
#hiors QListView {{ background: {card}; color: {text}; border: 1px solid {line};
  border-radius: 12px; outline: 0; }}
#hiors QProgressBar {{ background: {raised}; border: 0; border-radius: 4px; max-height: 8px; }}
#hiors QProgressBar::chunk {{ background: #d29922; border-radius: 4px; }}
"""


def colours(widget: Any) -> dict[str, str]:
    """Return the colours that fit the widget's palette."""
    light = widget.palette().window().color().lightness() > 127
    return _LIGHT if light else _DARK


def dress(widget: Any) -> dict[str, str]:
    """Give a panel its looks and return its colours."""
    chosen = colours(widget)
    widget.setObjectName("hiors")
    # A plain widget paints no ground of its own; in rqt the grey of the window would be seen.
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    widget.setStyleSheet(_SHEET.format(**chosen))
    return chosen
