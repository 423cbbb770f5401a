# SPDX-License-Identifier: Apache-2.0
"""The one Qt binding of this process: rqt's own inside rqt, else PySide6 or PyQt5.

Two bindings in one process crash, so what is loaded already wins. QtPy is no way out: inside rqt
it refuses the QT_API that python_qt_binding sets.
"""

import importlib
import sys
from typing import Any

from hiors_core.errors import HiorsError

INSTALL = (
    "Install one: `sudo apt install python3-pyqt5` (with ROS: `ros-jazzy-rqt`), "
    "or `make setup EXTRAS=panel` in the clone (PySide6)."
)
_ORDER = ("python_qt_binding", "PyQt5", "PySide6")


class NoQt(HiorsError):
    """No Qt binding can be imported on this machine."""


def _load() -> tuple[str, Any, Any, Any]:
    loaded = [name for name in _ORDER if name in sys.modules]
    reasons = []
    for name in loaded or ("python_qt_binding", "PySide6", "PyQt5"):
        try:
            core, gui, widgets = (
                importlib.import_module(f"{name}.{part}")
                for part in ("QtCore", "QtGui", "QtWidgets")
            )
        except ImportError as error:
            reasons.append(f"{name}: {error}")
        else:
            return name, core, gui, widgets
    raise NoQt(f"The panels need Qt, and none can be imported ({'; '.join(reasons)}). {INSTALL}")


BINDING, QtCore, QtGui, QtWidgets = _load()
Qt = QtCore.Qt
Signal = getattr(QtCore, "Signal", None) or QtCore.pyqtSignal
# Moved from QtWidgets to QtGui by Qt 6.
QShortcut = getattr(QtGui, "QShortcut", None) or QtWidgets.QShortcut
