# SPDX-License-Identifier: Apache-2.0
"""The list of episodes: one painted row each, with thumbnail and authority timeline."""

from collections.abc import Sequence
from typing import Any

from hiors_core.authority import COLOURS, Authority
from hiors_rqt.pictures import WIDTH, Pictures
from hiors_rqt.qt import Qt, QtCore, QtGui, QtWidgets
from hiors_rqt.words import Row

_HEIGHT = 100
_PAD = 10
ROW = Qt.ItemDataRole.UserRole


class EpisodeModel(QtCore.QAbstractListModel):  # type: ignore[misc]
    """The rows, newest first."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Replace all rows."""
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def find(self, episode_id: str) -> Any:
        """Return the index of an episode, invalid when it is not listed."""
        for place, row in enumerate(self.rows):
            if row.episode_id == episode_id:
                return self.index(place, 0)
        return QtCore.QModelIndex()

    def rowCount(self, parent: Any = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Any, role: int = 0) -> Any:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row = self.rows[index.row()]
        if role == ROW:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{row.headline}: {row.badge}, {row.detail}"
        return None


class EpisodeDelegate(QtWidgets.QStyledItemDelegate):  # type: ignore[misc]
    """Paints a row."""

    def __init__(self, pictures: Pictures, colours: dict[str, str], parent: Any = None) -> None:
        super().__init__(parent)
        self._pictures = pictures
        self._colours = {name: QtGui.QColor(value) for name, value in colours.items()}
        self._cache: dict[str, Any] = {}

    def sizeHint(self, option: Any, index: Any) -> Any:
        return QtCore.QSize(320, _HEIGHT)

    def paint(self, painter: Any, option: Any, index: Any) -> None:
        row = index.data(ROW)
        if row is None:
            return
        painter.save()
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        box = option.rect.adjusted(4, 3, -4, -3)
        if option.state & QtWidgets.QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._colours["raised"])
            painter.drawRoundedRect(box, 10, 10)
            painter.fillRect(
                box.left(), box.top() + 8, 4, box.height() - 16, self._colours["blue"]
            )
        jpeg, spans = self._pictures.of(row.episode_id, row.path)
        picture = QtCore.QRect(box.left() + _PAD, box.top() + 6, WIDTH, box.height() - 12)
        self._paint_picture(painter, picture, row.episode_id, jpeg)
        texts = QtCore.QRect(picture.right() + 14, picture.top(), 0, picture.height())
        texts.setRight(box.right() - _PAD)
        self._paint_texts(painter, texts, row, option.font)
        bar = QtCore.QRect(texts.left(), texts.bottom() - 9, texts.width(), 9)
        self._paint_timeline(painter, bar, spans)
        painter.restore()

    def _paint_picture(self, painter: Any, box: Any, episode_id: str, jpeg: bytes | None) -> None:
        picture = self._cache.get(episode_id)
        if picture is None and jpeg:
            picture = QtGui.QPixmap()
            picture.loadFromData(jpeg)
            self._cache[episode_id] = picture
        clip = QtGui.QPainterPath()
        clip.addRoundedRect(QtCore.QRectF(box), 8, 8)
        painter.save()
        painter.setClipPath(clip)
        painter.fillRect(box, self._colours["raised"])
        if picture is not None and not picture.isNull():
            fit = Qt.AspectRatioMode.KeepAspectRatioByExpanding
            smooth = Qt.TransformationMode.SmoothTransformation
            scaled = picture.scaled(box.size(), fit, smooth)
            left = (scaled.width() - box.width()) // 2
            top = (scaled.height() - box.height()) // 2
            painter.drawPixmap(box, scaled, QtCore.QRect(left, top, box.width(), box.height()))
        else:
            painter.setPen(self._colours["soft"])
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), "no picture")
        painter.restore()

    def _paint_texts(self, painter: Any, box: Any, row: Row, font: Any) -> None:
        bold = QtGui.QFont(font)
        bold.setWeight(QtGui.QFont.Weight.DemiBold)
        painter.setFont(bold)
        metrics = QtGui.QFontMetrics(bold)
        width = metrics.horizontalAdvance(row.badge) + 20
        badge = QtCore.QRect(box.right() - width, box.top(), width, 24)
        colour = QtGui.QColor(row.colour)
        painter.setPen(QtGui.QPen(colour, 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush if row.pending else colour)
        painter.drawRoundedRect(badge, 12, 12)
        painter.setPen(colour if row.pending else QtGui.QColor("#ffffff"))
        painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), row.badge)
        painter.setPen(self._colours["text"])
        head = QtCore.QRect(box.left(), box.top(), box.width() - width - 8, 24)
        elided = metrics.elidedText(row.headline, Qt.TextElideMode.ElideMiddle, head.width())
        middle = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.drawText(head, middle, elided)
        painter.setFont(font)
        painter.setPen(self._colours["soft"])
        wrap = int(Qt.TextFlag.TextWordWrap)
        painter.drawText(box.adjusted(0, 28, 0, -14), wrap, row.detail)

    def _paint_timeline(self, painter: Any, box: Any, spans: Any) -> None:
        clip = QtGui.QPainterPath()
        clip.addRoundedRect(QtCore.QRectF(box), 4, 4)
        painter.save()
        painter.setClipPath(clip)
        painter.fillRect(box, self._colours["raised"])
        for span in spans:
            left = box.left() + round(span.start * box.width())
            right = box.left() + round(span.end * box.width())
            colour = QtGui.QColor(COLOURS[Authority[span.authority]])
            painter.fillRect(left, box.top(), max(1, right - left), box.height(), colour)
        painter.restore()
