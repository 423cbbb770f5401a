# SPDX-License-Identifier: Apache-2.0
"""`hiors top`: who drives, and how everything of a running robot flows, as a live table."""

import time
from collections.abc import Sequence
from typing import Any

from hiors.arguments import check_namespace
from hiors.options import Parser
from hiors_core.errors import InvalidValue

_SHOWN = 2.0
"""How often the table is drawn [1/s]."""
_DISCOVERY = 1.0
"""Time for the graph to become known [s]."""


def main(argv: Sequence[str]) -> int:
    """Show the table until Ctrl-C; 0 when it has been shown."""
    options = _parser().parse_args(argv)
    check_namespace(options.namespace)
    if options.once is not None and not 0.5 <= options.once <= 600.0:
        raise InvalidValue(f"--once takes 0.5 to 600 s, got {options.once}.")
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rich.console import Console
    from rich.live import Live

    from hiors_seat.top import Top

    rclpy.init()
    node, executor = rclpy.create_node("hiors_top"), SingleThreadedExecutor()
    executor.add_node(node)
    try:
        _spin(executor, _DISCOVERY)
        top = Top(node, options.namespace, cameras=options.cameras)
        if options.once is not None:
            _spin(executor, options.once)
            Console().print(top.render())
            return 0
        with Live(top.render(), auto_refresh=False, screen=True) as live:
            while True:
                _spin(executor, 1 / _SHOWN)
                live.update(top.render(), refresh=True)
    except KeyboardInterrupt:
        return 0
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.try_shutdown()


def _spin(executor: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left)


def _parser() -> Parser:
    parser = Parser(prog="hiors top", description=__doc__)
    parser.add_argument("--namespace", default="", help="namespace of the robot, such as robot1")
    parser.add_argument("--cameras", action="store_true", help="listen to the images too (costly)")
    parser.add_argument(
        "--once", type=float, metavar="SECONDS", help="listen that long, print one table, end"
    )
    return parser
