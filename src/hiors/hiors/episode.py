# SPDX-License-Identifier: Apache-2.0
"""`hiors episode`: runs episodes in a running graph, one after another."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from hiors.arguments import check_namespace
from hiors.options import Parser
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.label import Outcome

MOST = 10_000
SERVER_WAIT = 10.0
"""For the recorder [s]."""
STOPPED = 1
"""Exit code when an episode could not be run."""


def main(argv: Sequence[str]) -> int:
    """Run the episodes; 1 when one could not be run to its end, and no more are tried then."""
    options = _parser().parse_args(argv)
    check_namespace(options.namespace)
    if not 1 <= options.count <= MOST:
        raise InvalidValue(f"COUNT must be within 1 .. {MOST}, got {options.count}.")
    if options.seed < 0:
        raise InvalidValue(f"--seed must be at least 0, got {options.seed}.")
    return _run(options)


def _parser() -> Parser:
    parser = Parser(prog="hiors episode", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=1, help="how many")
    parser.add_argument("--task", default="", help="refuse a graph that runs another task")
    parser.add_argument("--seed", type=int, default=0, help="of the first scene; grows by one")
    parser.add_argument("--namespace", default="", help="namespace of the running graph")
    return parser


def _run(options: argparse.Namespace) -> int:
    import rclpy
    from rclpy.action import ActionClient
    from rclpy.signals import SignalHandlerOptions

    from hiors_interfaces.action import RunEpisode

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node("hiors_episode", namespace=options.namespace or None)
        client = ActionClient(node, RunEpisode, "episode/run")
        if not client.wait_for_server(timeout_sec=SERVER_WAIT):
            raise HiorsError(
                f"Nobody serves the action episode/run within {SERVER_WAIT:g} s: start the graph"
                " (`hiors up`), with its namespace here too if it has one."
            )
        for number in range(options.count):
            goal = RunEpisode.Goal(task=options.task, seed=options.seed + number)
            if not _one(node, client, goal):
                return STOPPED
    finally:
        rclpy.try_shutdown()
    return 0


def _one(node: Any, client: Any, goal: Any) -> bool:
    """Run one episode and print what came of it; Ctrl-C ends it as aborted."""
    import rclpy

    asked = client.send_goal_async(goal)
    rclpy.spin_until_future_complete(node, asked)
    handle = asked.result()
    if not handle.accepted:
        raise HiorsError("The recorder runs another episode: wait for its end.")
    ended = handle.get_result_async()
    try:
        rclpy.spin_until_future_complete(node, ended)
    except KeyboardInterrupt:
        rclpy.spin_until_future_complete(node, handle.cancel_goal_async(), timeout_sec=2.0)
        raise
    result = ended.result().result
    if not result.episode_id:
        print(f"hiors: {result.message}", file=sys.stderr)
        return False
    outcome = Outcome(result.outcome).name.lower()
    judged = "waits for a label" if result.outcome == Outcome.NONE else outcome
    print(f"{result.episode_id}: {judged}, {result.duration:.1f} s ({result.message})", flush=True)
    return True
