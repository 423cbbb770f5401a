# SPDX-License-Identifier: Apache-2.0
"""The panel Labels: how the episodes went, by click or by key."""

from typing import Any

from hiors_core.authority import COLOURS, Authority
from hiors_core.errors import InvalidValue
from hiors_core.label import Outcome
from hiors_rqt import words
from hiors_rqt.bridge import Bridge
from hiors_rqt.episodes import ROW, EpisodeDelegate, EpisodeModel
from hiors_rqt.parts import NoticeLine, button, card, label
from hiors_rqt.pictures import Pictures
from hiors_rqt.qt import QShortcut, Qt, QtGui, QtWidgets
from hiors_rqt.style import dress
from hiors_seat.actions import Action

_KEYS = (
    (Action.SUCCESS, "Success", "S"),
    (Action.FAILURE, "Failure", "F"),
    (Action.DISCARD, "Discard", "D"),
    (Action.UNDO, "Undo", "U"),
)


class LabelsPanel(QtWidgets.QWidget):  # type: ignore[misc]
    """Shows the episodes of a bridge and labels them. Never waits for a service."""

    def __init__(self, bridge: Bridge, parent: Any = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("hiors: Labels")
        self._bridge = bridge
        self._episodes: list[Any] = []
        self._pictures = Pictures(self)
        colours = dress(self)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(10)
        column.addWidget(self._make_head())
        column.addWidget(self._make_list(colours), 1)
        column.addLayout(self._make_legend())
        self._notice = NoticeLine()
        column.addWidget(self._notice)
        bridge.episodes.connect(self.show_episodes)
        bridge.notice.connect(self._notice.tell)
        bridge.repeat()
        self._pictures.loaded.connect(lambda _: self._list.viewport().update())
        self._say_target()

    @property
    def selected(self) -> str:
        """Id of the selected episode; empty: the running or newest unlabelled one."""
        row = self._list.currentIndex().data(ROW)
        return row.episode_id if row is not None else ""

    def select(self, episode_id: str) -> None:
        """Select an episode of the list; an empty or unknown id selects none."""
        index = self._model.find(episode_id)
        self._list.setCurrentIndex(index)
        if not index.isValid():
            self._list.clearSelection()
        self._say_target()

    def show_episodes(self, episodes: Any) -> None:
        """Show the seat's episodes; the selection stays."""
        self._episodes = list(episodes)
        keep = self.selected
        for episode in self._episodes:
            if episode["state"] != "recording":
                self._pictures.forget(episode["id"])
        only = self._filter.currentIndex() == 1
        self._model.show_rows(words.rows(self._episodes, pending_only=only))
        pending = sum(e["pending"] for e in self._episodes)
        self._pending.setText(
            "Everything is labelled" if not pending else f"{pending} waiting for a label"
        )
        self.select(keep)

    def press(self, action: Action) -> None:
        """Label what is selected, and go on to the next one that waits."""
        episode_id = self.selected
        self._bridge.press(action, episode_id)
        if episode_id and action is not Action.UNDO:
            self.select(words.next_pending(self._model.rows, episode_id))

    def label_stages(self) -> None:
        """Label what is selected with the rewards that are typed."""
        try:
            rewards = words.stage_rewards(self._rewards.text())
        except InvalidValue as error:
            self._notice.tell("error", str(error))
            return
        self._bridge.label_stages(int(Outcome.RETURN), rewards, self.selected)
        self._rewards.clear()

    def close_pictures(self) -> None:
        """End the thread that reads episodes."""
        self._pictures.close()

    def _make_head(self) -> Any:
        frame, inside = card("")
        self._pending = label("No episode yet", "title")
        self._target = label("", "soft", wrap=True)
        inside.addWidget(self._pending)
        inside.addWidget(self._target)
        row = QtWidgets.QHBoxLayout()
        for action, text, key in _KEYS:
            made = button(
                f"{text}  {key}", str(action), f"Key {key}", lambda a=action: self.press(a)
            )
            made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(made, 1)
            shortcut = QShortcut(QtGui.QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda a=action: self.press(a))
        inside.addLayout(row)
        row = QtWidgets.QHBoxLayout()
        self._rewards = QtWidgets.QLineEdit()
        self._rewards.setPlaceholderText("Stage rewards, such as 0.5, 0.5")
        self._rewards.returnPressed.connect(self.label_stages)
        tip = "The return is the sum of the stage rewards."
        row.addWidget(self._rewards, 1)
        row.addWidget(button("Label with rewards", "stages", tip, self.label_stages))
        inside.addLayout(row)
        return frame

    def _make_list(self, colours: dict[str, str]) -> Any:
        self._model = EpisodeModel(self)
        self._list = QtWidgets.QListView()
        self._list.setModel(self._model)
        self._list.setItemDelegate(EpisodeDelegate(self._pictures, colours, self))
        self._list.setVerticalScrollMode(QtWidgets.QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._list.setUniformItemSizes(True)
        # Typed letters are labels, not a search in the list.
        self._list.keyboardSearch = lambda _: None
        self._list.clicked.connect(lambda _: self._say_target())
        self._list.selectionModel().currentChanged.connect(lambda *_: self._say_target())
        return self._list

    def _make_legend(self) -> Any:
        row = QtWidgets.QHBoxLayout()
        for authority, text in (
            (Authority.POLICY, "policy"),
            (Authority.HANDOVER, "hand-over"),
            (Authority.HUMAN, "person"),
            (Authority.HOLD, "hold"),
        ):
            dot = QtWidgets.QLabel()
            dot.setFixedSize(10, 10)
            dot.setStyleSheet(f"background: {COLOURS[authority]}; border-radius: 5px;")
            row.addWidget(dot)
            row.addWidget(label(text, "soft"))
        row.addStretch(1)
        self._filter = QtWidgets.QComboBox()
        self._filter.addItems(["All episodes", "Waiting only"])
        self._filter.currentIndexChanged.connect(lambda _: self.show_episodes(self._episodes))
        row.addWidget(self._filter)
        return row

    def _say_target(self) -> None:
        meant = self.selected or "the running or newest unlabelled episode"
        self._target.setText(f"A label goes to {meant}.")
