# SPDX-License-Identifier: Apache-2.0
"""`hiors up`: runs the graph as supervised processes, for machines without ros2 launch."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hiors.arguments import BringupArgs, describe, parse_words
from hiors.commands import build_commands
from hiors.graph import build_graph
from hiors.run import prepare
from hiors.spec import Graph, NodeSpec
from hiors.supervisor import PERIOD, Supervisor

if TYPE_CHECKING:
    from hiors.transitions import Transitions

Show = Callable[[str], None]


class Bringup:
    """The running graph of ``args``: starts the processes and brings the managed nodes to life.

    Use as a context: leaving it ends everything within 5 s.
    """

    def __init__(self, graph: Graph, args: BringupArgs, show: Show = print) -> None:
        run_dir = prepare(args)
        self._lifecycle: Transitions | None = None
        self._managed = {node.name: node for node in graph.nodes if node.lifecycle}
        self._waiting: list[NodeSpec] = []
        commands = build_commands(graph, run_dir, args.log_level)
        self._supervisor = Supervisor(commands, run_dir / "logs", show, self._on_start)
        self._show = show

    def __enter__(self) -> Bringup:
        from hiors.transitions import Transitions

        if self._managed:
            self._lifecycle = Transitions(self._show)
        try:
            self._supervisor.start()
        except BaseException:
            self._close_lifecycle()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lifecycle:
            self._lifecycle.cancel()
        try:
            self._supervisor.stop()
        finally:
            self._close_lifecycle()

    def step(self) -> int | None:
        """Look after the processes, 20 times a second; the exit code when the graph must end."""
        code = self._supervisor.step()
        for node in [n for n in self._waiting if n.needs and n.needs.exists()]:
            self._waiting.remove(node)
            self._activate(node)
        if code is None and self._lifecycle and self._lifecycle.failed:
            self._show(self._lifecycle.failed)
            return 1
        return code

    def _on_start(self, name: str, _count: int) -> None:
        node = self._managed.get(name)
        if node and node.needs and not node.needs.exists():
            self._show(f"{node.full_name} waits for {node.needs}")
            self._waiting.append(node)
        elif node:
            self._activate(node)

    def _activate(self, node: NodeSpec) -> None:
        if self._lifecycle:
            self._lifecycle.activate(node.full_name)

    def _close_lifecycle(self) -> None:
        if self._lifecycle:
            self._lifecycle.close()
            self._lifecycle = None


def run(graph: Graph, args: BringupArgs, show: Show = print) -> int:
    """Run until a required node ends, or a signal comes (130 after SIGINT, 143 SIGTERM)."""
    received: list[int] = []
    old = {
        n: signal.signal(n, lambda s, _: received.append(s))
        for n in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Bringup(graph, args, show) as bringup:
            while not received:
                code = bringup.step()
                if code is not None:
                    return code
                time.sleep(PERIOD)
            show(f"{signal.Signals(received[0]).name}: ending all processes")
        return 128 + received[0]
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def main(argv: Sequence[str]) -> int:
    """Run `hiors up name:=value ...`."""
    if any(word in ("-h", "--help", "--show-args") for word in argv):
        print(usage())
        return 0
    args = parse_words(argv)
    graph = build_graph(args)
    print(f"{len(graph.nodes)} nodes, run folder {Path(args.run_dir).resolve()}; Ctrl-C ends all")
    return run(graph, args, lambda line: print(line, flush=True))


def usage() -> str:
    """Return the help text: every argument with its default and what it means."""
    rows = ["usage: hiors up [name:=value ...]", "", "Runs the graph as supervised processes.", ""]
    for spec in describe():
        allowed = f" One of: {', '.join(spec.allowed)}." if spec.allowed else ""
        rows.append(f"  {spec.name}:={spec.default_text}")
        rows.append(f"      {spec.doc}{allowed}")
    return "\n".join(rows)
