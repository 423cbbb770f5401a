# SPDX-License-Identifier: Apache-2.0
"""keyboard_node: a terminal's keys drive and label.

A terminal does not tell when a key is let go. So a press moves the tool for a moment only, and the
clutch opens when no motion key has come for a while: the hand on the key is the dead man's.
"""

import sys
from typing import Any

import numpy as np

from hiors_core.clock import to_ns
from hiors_core.errors import InvalidValue
from hiors_ros.node import run_node
from hiors_teleop.bindings import read_keys
from hiors_teleop.device import DeviceNode
from hiors_teleop.parameters import KeyboardParameters
from hiors_teleop.terminal import Terminal

MOTIONS = {
    "w": (0, 1), "s": (0, -1), "a": (1, 1), "d": (1, -1), "r": (2, 1), "v": (2, -1),
    "u": (3, 1), "j": (3, -1), "i": (4, 1), "k": (4, -1), "o": (5, 1), "l": (5, -1),
}  # fmt: skip
"""Key to axis (x y z rx ry rz of the arm's base) and sense."""
_POLL = 0.02


class KeyboardNode(DeviceNode):
    """The terminal that the node was started in."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("keyboard_teleop", **kwargs)
        p = self.declare_all(KeyboardParameters)
        self.finish_parameters()
        self._actions = read_keys("keys", p.keys)
        if taken := sorted(set(self._actions) & set(MOTIONS)):
            raise InvalidValue(f"Parameter 'keys': {', '.join(taken)} already move the tool.")
        self._pulse = to_ns(p.pulse)
        self._patience = to_ns(p.silence)
        self._until = np.zeros((6, 2), dtype=np.int64)
        self._last: int | None = None
        self.begin("keyboard", p.silence)
        self._terminal = Terminal()
        self.create_timer(_POLL, self._poll)
        self._help()

    def close(self) -> None:
        """Let go and restore the terminal."""
        super().close()
        if hasattr(self, "_terminal"):
            self._terminal.close()

    def _poll(self) -> None:
        now = self._steady.now()
        for key in self._terminal.pressed():
            if key in MOTIONS:
                axis, sense = MOTIONS[key]
                self._until[axis, int(sense < 0)] = now + self._pulse
                self._last = now
            elif key in self._actions:
                self.act(self._actions[key])
            else:
                self._help()
        if self._last is not None and now - self._last > self._patience:
            self._last = None
        active = (self._until > now).astype(np.float64)
        self.feed(held=self._last is not None, twist=active[:, 0] - active[:, 1])

    def _help(self) -> None:
        keys = "   ".join(f"{key} {action.value}" for key, action in self._actions.items())
        print(
            "x w/s   y a/d   z r/v   rx u/j   ry i/k   rz o/l\n" + keys,
            file=sys.stderr,
            flush=True,
        )


def main() -> int:
    """Run the node."""
    return run_node(KeyboardNode)


if __name__ == "__main__":
    sys.exit(main())
