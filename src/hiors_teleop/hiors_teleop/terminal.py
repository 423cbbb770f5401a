# SPDX-License-Identifier: Apache-2.0
"""Keys of a terminal, one by one, without Enter. Restores the terminal at the end."""

import os
import select
import sys
import termios
import tty

from hiors_core.errors import HiorsError

_NAMED = {
    b" ": "space",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\t": "tab",
    b"\x1b": "escape",
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
}


def read_keys(data: bytes) -> list[str]:
    """Return the names of the keys in what a terminal sent."""
    keys = []
    while data:
        size = 3 if data[:3] in _NAMED else 1
        part, data = data[:size], data[size:]
        if part in _NAMED:
            keys.append(_NAMED[part])
        elif part.isascii() and part.decode("ascii").isprintable():
            keys.append(part.decode("ascii"))
    return keys


class Terminal:
    """The controlling terminal in cbreak mode: Ctrl-C still interrupts."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        if not os.isatty(self._input):
            raise HiorsError(
                "keyboard_node needs a terminal for its keys, and its input is none. Start it in"
                " a terminal of its own: ros2 run hiors_teleop keyboard_node."
            )
        self._before = termios.tcgetattr(self._input)
        tty.setcbreak(self._input)

    def pressed(self) -> list[str]:
        """Return the keys that were pressed since the last call; does not wait."""
        ready, _, _ = select.select([self._input], [], [], 0.0)
        return read_keys(os.read(self._input, 1024)) if ready else []

    def close(self) -> None:
        """Restore the terminal."""
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)
