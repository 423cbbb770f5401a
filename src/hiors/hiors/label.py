# SPDX-License-Identifier: Apache-2.0
"""`hiors label`: labels an episode through a running graph's service, or in a store at rest."""

import argparse
import getpass
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hiors.arguments import check_namespace
from hiors.options import Parser
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.label import Label, Outcome, judge
from hiors_core.names import check_episode_id
from hiors_core.store import EpisodeStore

LONGEST_WAIT = 3600.0
UNDO = 5
"""LabelEpisode.Request.UNDO; not an outcome."""


def main(argv: Sequence[str]) -> int:
    """Label one episode; 0 when it has been taken."""
    options = _parser().parse_args(argv)
    if options.episode:
        check_episode_id(options.episode)
    check_namespace(options.namespace)
    if not 0.0 < options.wait <= LONGEST_WAIT:
        raise InvalidValue(f"--wait must be within 0 .. {LONGEST_WAIT:g} s, got {options.wait}.")
    print(_in_store(options) if options.store else _by_service(options))
    return 0


def _parser() -> Parser:
    parser = Parser(prog="hiors label", description=__doc__)
    parser.add_argument(
        "episode", nargs="?", default="", help="episode id; left out: the newest without label"
    )
    how = parser.add_mutually_exclusive_group(required=True)
    for name, outcome in (("success", 1), ("failure", 2), ("discard", 3), ("undo", UNDO)):
        how.add_argument(f"--{name}", dest="outcome", action="store_const", const=outcome)
    how.add_argument("--return", dest="value", type=float, help="the episode's return R")
    parser.add_argument("--labeler", default=getpass.getuser(), help="who says so")
    parser.add_argument("--store", type=Path, help="episode store to label in, without a graph")
    parser.add_argument("--namespace", default="", help="namespace of the running graph")
    parser.add_argument("--wait", type=float, default=10.0, help="for the label service [s]")
    return parser


def _in_store(options: argparse.Namespace) -> str:
    if not options.store.is_dir():
        raise HiorsError(f"There is no episode store {options.store}.")
    store = EpisodeStore(options.store)
    try:
        episode = options.episode or _newest_unlabelled(store)
        if options.outcome == UNDO:
            label = store.undo_label(episode)
        else:
            label = store.set_label(episode, _label(options))
        return f"{episode}: {label.outcome.name.lower()} (revision {label.revision})"
    finally:
        store.close()


def _newest_unlabelled(store: EpisodeStore) -> str:
    for episode in sorted(store.ids(), reverse=True):
        if store.label(episode).outcome is Outcome.NONE:
            return episode
    raise HiorsError("Every episode of the store is labelled; name one to change its label.")


def _label(options: argparse.Namespace) -> Label:
    outcome = Outcome.RETURN if options.outcome is None else Outcome(options.outcome)
    return judge(
        outcome,
        episode_return=0.0 if options.value is None else options.value,
        labeler=options.labeler,
        source="hiors label",
        stamp=time.time_ns(),
    )


def _by_service(options: argparse.Namespace) -> str:
    import rclpy

    from hiors_interfaces.srv import LabelEpisode

    rclpy.init(args=[])
    try:
        node = rclpy.create_node("hiors_label", namespace=options.namespace or None)
        client = node.create_client(LabelEpisode, "episode/label_episode")
        if not client.wait_for_service(timeout_sec=options.wait):
            raise HiorsError(
                f"No label service {client.srv_name} within {options.wait:g} s. Start the graph "
                "(`hiors up`), or name an episode store: --store DIR."
            )
        future = client.call_async(_request(LabelEpisode.Request(), options))
        rclpy.spin_until_future_complete(node, future, timeout_sec=options.wait)
        if not future.done():
            raise HiorsError(f"The label service did not answer within {options.wait:g} s.")
        answer = future.result()
    finally:
        rclpy.try_shutdown()
    if not answer.success:
        raise HiorsError(answer.message)
    return f"{answer.episode_id}: taken (revision {answer.revision})"


def _request(request: Any, options: argparse.Namespace) -> Any:
    request.episode_id = options.episode
    request.outcome = int(Outcome.RETURN) if options.outcome is None else options.outcome
    request.episode_return = 0.0 if options.value is None else options.value
    request.labeler = options.labeler
    request.source = "hiors label"
    return request
