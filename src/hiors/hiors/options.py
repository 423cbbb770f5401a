# SPDX-License-Identifier: Apache-2.0
"""argparse that refuses an unknown option by naming the nearest that exists."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviations, whose errors name the nearest option."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)
        self._words: Sequence[str] = ()

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse all the words, or exit with 2."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(self._unknown(unknown[0]))
        return found

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse what is known, and keep the words for the error that may follow."""
        self._words = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where the help is, and exit with 2.

        A misspelt option leaves its value over for another argument: then it is the option that
        was wrong.
        """
        if misspelt := self._misspelt():
            message = self._unknown(misspelt)
        self.exit(2, f"{self.prog}: {message}\n`{self.prog} --help` lists what is allowed.\n")

    def _misspelt(self) -> str:
        if self._subparsers is not None:
            return ""
        options = (w for w in self._words if w.startswith("--") and w != "--")
        return next((w for w in options if w.split("=")[0] not in self._option_string_actions), "")

    def _unknown(self, word: str) -> str:
        name = word.split("=")[0]
        near = difflib.get_close_matches(name, list(self._option_string_actions), n=1, cutoff=0.5)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        return f"unknown argument '{name}'.{guess}"
