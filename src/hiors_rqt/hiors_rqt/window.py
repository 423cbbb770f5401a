# SPDX-License-Identifier: Apache-2.0
"""The panels as a window of their own, for a machine without rqt."""

import signal
import sys
import threading

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from hiors_rqt.bridge import Bridge
from hiors_rqt.intervention import InterventionPanel
from hiors_rqt.labels import LabelsPanel
from hiors_rqt.qt import QtCore, QtWidgets


class Spinner:
    """Spins a node of the window's own in a thread: Qt never waits for ROS."""

    def __init__(self) -> None:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node("hiors_panel")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="spinner", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and the node."""
        self._ended.set()
        self._thread.join(5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        rclpy.try_shutdown()

    def _spin(self) -> None:
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.1)


class Window(QtWidgets.QMainWindow):  # type: ignore[misc]
    """One or both panels side by side."""

    def __init__(self, bridge: Bridge, which: str = "both") -> None:
        super().__init__()
        self.setWindowTitle("hiors" + (f" · {bridge.namespace}" if bridge.namespace else ""))
        self.labels: LabelsPanel | None = None
        self.intervention: InterventionPanel | None = None
        split = QtWidgets.QSplitter()
        if which in ("both", "intervention"):
            self.intervention = InterventionPanel(bridge)
            split.addWidget(self.intervention)
        if which in ("both", "labels"):
            self.labels = LabelsPanel(bridge)
            split.addWidget(self.labels)
        self.setCentralWidget(split)
        self.resize(1240 if which == "both" else 620, 820)

    def end(self) -> None:
        """End the threads of the panels."""
        if self.labels is not None:
            self.labels.close_pictures()


def run(which: str, namespace: str, operator: str) -> int:
    """Show the window until it is closed, or SIGINT or SIGTERM comes; returns the exit code."""
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication(sys.argv[:1])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: app.quit())
    # Python sees a signal only when it runs: Qt gives it a turn ten times a second.
    turn = QtCore.QTimer()
    turn.timeout.connect(lambda: None)
    turn.start(100)
    spinner = Spinner()
    bridge = Bridge(spinner.node, namespace)
    bridge.operator = operator
    window = Window(bridge, which)
    window.show()
    code = app.exec()
    bridge.close()
    window.end()
    spinner.close()
    return int(code)
