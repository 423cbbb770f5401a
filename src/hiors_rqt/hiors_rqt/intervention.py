# SPDX-License-Identifier: Apache-2.0
"""The panel Intervention: who drives, and the buttons to change it."""

from typing import Any

from hiors_rqt import words
from hiors_rqt.bridge import Bridge
from hiors_rqt.parts import Devices, Facts, NoticeLine, button, card, label
from hiors_rqt.qt import Qt, QtWidgets
from hiors_rqt.style import dress
from hiors_seat.actions import Action


class InterventionPanel(QtWidgets.QWidget):  # type: ignore[misc]
    """Shows the state of a bridge and presses its buttons. Never waits for a service."""

    def __init__(self, bridge: Bridge, parent: Any = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("hiors: Intervention")
        self._bridge = bridge
        dress(self)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(10)
        column.addWidget(self._make_band())
        column.addLayout(self._make_buttons())
        column.addLayout(self._make_cards())
        column.addWidget(self._make_devices(), 1)
        self._notice = NoticeLine()
        column.addWidget(self._notice)
        bridge.state.connect(self.show_state)
        bridge.notice.connect(self._notice.tell)

    def show_state(self, state: Any) -> None:
        """Show the seat's values."""
        said = words.intervention(state)
        self._title.setText(said.title)
        self._title.setStyleSheet(f"color: {said.colour};")
        self._bar.setStyleSheet(f"background: {said.colour}; border-radius: 4px;")
        self._reason.setText(said.reason)
        self._problems.setText("\n".join(said.problems))
        self._problems.setVisible(bool(said.problems))
        self._toggle.setText(said.toggle)
        for one in (self._toggle, self._hold, self._reset):
            one.setEnabled(said.can_drive)
        self._stop.setVisible(not said.stopped)
        self._resume.setVisible(said.stopped)
        self._control.show_facts(said.control)
        self._policy.show_facts(said.policy)
        self._share.setValue(round(100 * said.limiter))
        self._limits.setText(said.limiter_text)
        self._devices.show_devices(said.devices)

    def _make_band(self) -> Any:
        band, inside = card("")
        self._bar = QtWidgets.QFrame()
        self._bar.setFixedWidth(8)
        self._title, self._reason = label("No news", "title"), label("", "soft", wrap=True)
        self._problems = label("", wrap=True)
        self._problems.setObjectName("problems")
        self._problems.hide()
        row = QtWidgets.QHBoxLayout()
        texts = QtWidgets.QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self._title)
        texts.addWidget(self._reason)
        row.addWidget(self._bar)
        row.addSpacing(6)
        row.addLayout(texts, 1)
        b = self._bridge
        tip = "Software stop, latched until resumed. Not safety-rated."
        self._stop = button("STOP", "stop", tip, lambda: b.press(Action.STOP))
        tip = "Leave STOPPED; the robot then holds."
        self._resume = button("Resume", "resume", tip, lambda: b.press(Action.RESUME))
        self._resume.hide()
        row.addWidget(self._stop)
        row.addWidget(self._resume)
        inside.addLayout(row)
        inside.addWidget(self._problems)
        return band

    def _make_buttons(self) -> Any:
        b = self._bridge
        tip = "A person takes over from the measured pose, or hands back to the policy."
        self._toggle = button("Take over", "toggle", tip, lambda: b.press(Action.TOGGLE))
        tip = "Nobody drives: the robot holds its position."
        self._hold = button("Hold", "hold", tip, lambda: b.press(Action.HOLD))
        tip = "Targeted reset: move to the home position under the limiter, then hold."
        self._reset = button("Reset", "reset", tip, lambda: b.press(Action.RESET))
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._toggle, 2)
        row.addWidget(self._hold, 1)
        row.addWidget(self._reset, 1)
        for one in (self._toggle, self._hold, self._reset):
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return row

    def _make_cards(self) -> Any:
        self._control, self._policy = Facts(), Facts()
        row = QtWidgets.QHBoxLayout()
        for title, facts in (("Control loop", self._control), ("Policy", self._policy)):
            frame, inside = card(title)
            inside.addWidget(facts)
            inside.addStretch(1)
            row.addWidget(frame, 1)
        frame, inside = card("Limiter")
        self._share = QtWidgets.QProgressBar()
        self._share.setTextVisible(False)
        self._limits = label("", "soft", wrap=True)
        inside.addWidget(self._share)
        inside.addWidget(self._limits)
        inside.addStretch(1)
        column = QtWidgets.QVBoxLayout()
        column.addLayout(row)
        column.addWidget(frame)
        return column

    def _make_devices(self) -> Any:
        frame, inside = card("Devices and nodes")
        self._devices = Devices()
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setStyleSheet("background: transparent;")
        holder = QtWidgets.QWidget()
        rows = QtWidgets.QVBoxLayout(holder)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self._devices)
        rows.addStretch(1)
        scroll.setWidget(holder)
        inside.addWidget(scroll)
        return frame
