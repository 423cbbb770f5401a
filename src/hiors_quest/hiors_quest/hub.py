# SPDX-License-Identifier: Apache-2.0
"""What the messages of a headset's page do. Lives in the server's event loop only."""

from typing import Any, Protocol

from hiors_core.clock import Clock
from hiors_quest.protocol import READERS, End
from hiors_quest.values import Frame
from hiors_seat.actions import Action
from hiors_seat.web.hub import Client, Hub, HubSettings
from hiors_seat.web.messages import Press


class Handler(Protocol):
    """What the hub tells its owner, in the server's thread."""

    def on_operator(self, name: str | None) -> None:
        """A person became the operator, or the operator is gone (None)."""

    def on_frame(self, frame: Frame) -> None:
        """The operator's headset sent a frame."""

    def on_end(self) -> None:
        """The operator left AR."""

    def on_press(self, action: Action, name: str) -> None:
        """A button of the page; STOP comes from anybody, the others from the operator."""


class QuestHub(Hub):
    """The pages of headsets and watchers."""

    def __init__(self, settings: HubSettings, handler: Handler, clock: Clock) -> None:
        super().__init__(settings, READERS, clock)
        self._handler = handler
        self._in_ar = False

    @property
    def viewers(self) -> int:
        """How many pages can show a camera image: all but that of a person in AR."""
        return len(self.clients) - (1 if self._in_ar else 0)

    def show_image(self, jpeg: bytes) -> None:
        """Send the camera image to everybody but the person in AR."""
        for client in self.clients:
            if not (self._in_ar and client is self.operator):
                client.show_image(jpeg)

    def operator_changed(self, name: str | None) -> None:
        """Tell the owner; nobody is in AR at that moment."""
        self._in_ar = False
        self._handler.on_operator(name)

    def take(self, client: Client, message: Any) -> None:
        """Act on a button, a frame, or the end of AR."""
        if isinstance(message, Press):
            self._press(client, message.action)
        elif client is not self.operator:
            return
        elif isinstance(message, Frame):
            self._in_ar = True
            self._handler.on_frame(message)
        elif isinstance(message, End):
            self._in_ar = False
            self._handler.on_end()

    def _press(self, client: Client, action: Action) -> None:
        if client is self.operator or action is Action.STOP:
            self._handler.on_press(action, client.name or "watcher")
        else:
            self.refuse(client)
