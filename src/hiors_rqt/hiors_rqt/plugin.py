# SPDX-License-Identifier: Apache-2.0
"""The panels as rqt plugins: rqt gives the node, spins it, and keeps the settings.

Nothing of rqt is imported: rqt takes any class of this shape.
"""

import argparse
import getpass
from contextlib import suppress
from typing import Any

with suppress(ImportError):
    # rqt's binding, before hiors_rqt.qt chooses one.
    import python_qt_binding  # noqa: F401

from hiors_core.errors import InvalidValue
from hiors_rqt.bridge import Bridge
from hiors_rqt.intervention import InterventionPanel
from hiors_rqt.labels import LabelsPanel
from hiors_rqt.qt import QtCore, QtWidgets


class _Plugin(QtCore.QObject):  # type: ignore[misc]
    """What both plugins do with the context that rqt hands them."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.setObjectName(type(self).__name__)
        options = _arguments(context)
        self.bridge = Bridge(context.node, options.namespace)
        self.bridge.operator = options.operator
        self.panel = self.make_panel()
        serial = context.serial_number()
        if serial > 1:
            self.panel.setWindowTitle(f"{self.panel.windowTitle()} ({serial})")
        context.add_widget(self.panel)

    def make_panel(self) -> Any:
        """Make the widget."""
        raise NotImplementedError

    def shutdown_plugin(self) -> None:
        """Give everything back to rqt's node."""
        self.bridge.close()

    def save_settings(self, plugin_settings: Any, instance_settings: Any) -> None:
        """Remember whose panel of which graph this is."""
        instance_settings.set_value("namespace", self.bridge.namespace)
        instance_settings.set_value("operator", self.bridge.operator)

    def restore_settings(self, plugin_settings: Any, instance_settings: Any) -> None:
        """Be the panel that was saved; arguments of the command line win."""
        namespace = instance_settings.value("namespace", "") or ""
        self.bridge.operator = instance_settings.value("operator", "") or self.bridge.operator
        if namespace and not self.bridge.namespace:
            self.bridge.connect_to(namespace)

    def trigger_configuration(self) -> None:
        """Ask for the person's name and the graph's namespace (the wheel in the title bar)."""
        ask = QtWidgets.QInputDialog.getText
        plain = QtWidgets.QLineEdit.EchoMode.Normal
        title = "hiors"
        name, chosen = ask(self.panel, title, "Your name", plain, self.bridge.operator)
        if chosen and name.strip():
            self.bridge.operator = name.strip()
        space, chosen = ask(
            self.panel, title, "Namespace of the robot", plain, self.bridge.namespace
        )
        if chosen and space != self.bridge.namespace:
            try:
                self.bridge.connect_to(space.strip())
            except InvalidValue as error:
                self.bridge.notice.emit("error", str(error))


class Intervention(_Plugin):
    """Who drives the robot."""

    def make_panel(self) -> Any:
        return InterventionPanel(self.bridge)


class Labels(_Plugin):
    """How the episodes went."""

    def make_panel(self) -> Any:
        return LabelsPanel(self.bridge)

    def shutdown_plugin(self) -> None:
        super().shutdown_plugin()
        self.panel.close_pictures()


def _arguments(context: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hiors_rqt", add_help=False)
    parser.add_argument("--namespace", default="")
    parser.add_argument("--operator", default=getpass.getuser())
    known, _ = parser.parse_known_args(context.argv())
    return known
