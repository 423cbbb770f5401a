# SPDX-License-Identifier: Apache-2.0
"""The `hiors` command, as its own parsers explain it."""

import argparse
import importlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn
from unittest.mock import patch

from writing import code, one_line, page, table

from hiors import arguments
from hiors.cli import COMMANDS, MODULES
from hiors.options import Parser


class _Asked(Exception):
    """Carries the parser that a command was about to use."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def commands_page() -> str:
    """Return the page of all commands."""
    intro = (
        "`bin/hiors COMMAND` in a clone; `hiors COMMAND` in a shell that sourced `tools/env.sh`."
        " Exit codes: 0 done, 1 ended with a failure that the output names, 2 wrong input (nothing"
        " was done), 130 after Ctrl-C, 143 after SIGTERM. Options are never abbreviated, and a"
        " misspelt one is answered with the nearest."
    )
    overview = table(("command", "what it does"), ([code(n), t] for n, t in COMMANDS.items()))
    return page("Commands", intro, overview, *(part for name in COMMANDS for part in _of(name)))


def launch_page() -> str:
    """Return the page of the graph's arguments."""
    rows = (
        [code(s.name), code(s.default_text) or "(empty)", ", ".join(map(code, s.allowed)), s.doc]
        for s in arguments.describe()
    )
    return page(
        "Arguments of the graph",
        "`bin/hiors up name:=value ...` and `ros2 launch hiors bringup.launch.py name:=value ...`"
        " take the same arguments; `--show-args` prints them. `learner.launch.py` and"
        " `teleop.launch.py` take them too and start parts of the graph; `record_demos.launch.py`"
        " sets `demonstrate:=true` itself. When a required node ends, everything ends.",
        table(("argument", "default", "allowed", "meaning"), rows),
        "## replay.launch.py",
        "`bag:=` (bag folder, .mcap or .db3 file), `rate:=1.0`, `loop:=`, `start_paused:=`,"
        " `with_commands:=`; they are the options of `hiors replay`.",
    )


def _of(name: str) -> Iterator[str]:
    if name == "up":
        yield "## hiors up\n\nTakes the [arguments of the graph](arguments.md)."
        return
    yield _section(_parser(name, []), 2)
    if name == "bench":
        yield _section(_parser(name, ["learning"]), 3)


def _parser(name: str, words: Sequence[str]) -> argparse.ArgumentParser:
    def ask(self: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        raise _Asked(self)

    module = importlib.import_module(f"hiors.{MODULES.get(name, name)}")
    with patch.object(Parser, "parse_args", ask):
        try:
            module.main(list(words))
        except _Asked as asked:
            return asked.parser
    raise TypeError(f"hiors {name} reads its words without hiors.options.Parser")


def _section(parser: argparse.ArgumentParser, level: int) -> str:
    kinds = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    parts = [f"{'#' * level} {parser.prog}", one_line(_undressed(parser.description or ""))]
    rows = [_row(a) for a in parser._actions if a not in kinds and a.dest != "help"]
    parts.append(table(("option", "default", "meaning"), rows))
    if parser.epilog:
        parts.append(f"```text\n{parser.epilog.strip()}\n```")
    for kind in kinds:
        helps = {c.dest: c.help or "" for c in kind._choices_actions}
        for name, inner in kind.choices.items():
            inner.description = inner.description or helps.get(name, "")
            parts.append(_section(inner, level + 1))
    return "\n\n".join(part for part in parts if part)


def _undressed(text: str) -> str:
    """Leave out the command's own name at the beginning of its description."""
    return re.sub(r"^`hiors [\w -]+`: ", "", text.strip())


def _row(action: argparse.Action) -> list[str]:
    words = ", ".join(code(w) for w in action.option_strings) or code(
        action.metavar or action.dest
    )
    if action.choices:
        words += f" ({', '.join(code(c) for c in action.choices)})"
    meaning = (action.help or "") + (" (required)" if action.required else "")
    return [words, _default(action), meaning]


def _default(action: argparse.Action) -> str:
    if action.default in (None, False, (), "") or action.default is argparse.SUPPRESS:
        return ""
    return code(action.default)
