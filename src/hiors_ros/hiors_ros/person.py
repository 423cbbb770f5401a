# SPDX-License-Identifier: Apache-2.0
"""What a person's device asks of the graph: never waited for, each answer told to the person."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.client import Client
from rclpy.task import Future

from hiors_core.authority import Request
from hiors_core.clock import Clock, to_ns
from hiors_interfaces.srv import LabelEpisode, SetAuthority
from hiors_ros.node import HiorsNode

_PATIENCE = 3.0
"""How long an answer may take before the person is told [s]."""

Notice = Callable[[str, str], None]
"""Takes a level, "info" or "error", and a sentence for the person."""
Refused = Callable[[str], None]


def _ignore(_: str) -> None:
    """Do nothing about a refusal beyond telling the person."""


@dataclass(slots=True)
class _Pending:
    client: Client
    deadline: int
    what: str
    refused: Refused


class Requests:
    """Sends requests and reports their results; used from the node's thread only.

    ``source`` names the device in labels. Call ``poll`` now and then: it gives up on requests
    that nobody answers.
    """

    def __init__(self, node: HiorsNode, notice: Notice, clock: Clock, source: str) -> None:
        self._authority = node.create_client(SetAuthority, "control/set_authority")
        self._label = node.create_client(LabelEpisode, "episode/label_episode")
        self._notice = notice
        self._clock = clock
        self._source = source
        self._pending: dict[Future, _Pending] = {}

    def authority(
        self, request: Request, operator: str, reason: str, refused: Refused = _ignore
    ) -> None:
        """Ask the arbiter for a change of authority; ``refused`` is told why not."""
        call = SetAuthority.Request(request=request, operator_name=operator, reason=reason)
        self._send(self._authority, call, reason, refused)

    def label(self, outcome: int, labeler: str, what: str) -> None:
        """Label the running or newest unlabelled episode."""
        call = LabelEpisode.Request(outcome=outcome, labeler=labeler, source=self._source)
        self._send(self._label, call, what, _ignore)

    def poll(self) -> None:
        """Give up on requests that nobody answered."""
        now = self._clock.now()
        for future in [f for f, p in self._pending.items() if now > p.deadline]:
            late = self._pending.pop(future)
            late.client.remove_pending_request(future)
            self._fail(late.what, f"no answer from {late.client.srv_name}", late.refused)

    def _send(self, client: Client, call: Any, what: str, refused: Refused) -> None:
        if not client.service_is_ready():
            self._fail(what, f"nobody serves {client.srv_name}", refused)
            return
        future = client.call_async(call)
        deadline = self._clock.now() + to_ns(_PATIENCE)
        self._pending[future] = _Pending(client, deadline, what, refused)
        future.add_done_callback(self._done)

    def _done(self, future: Future) -> None:
        pending = self._pending.pop(future, None)
        if pending is None or future.cancelled():
            return
        answer = future.result()
        episode = f" ({answer.episode_id})" if getattr(answer, "episode_id", "") else ""
        if answer.success:
            self._notice("info", f"{pending.what}{episode}: {answer.message or 'done'}")
        else:
            text = answer.message or "refused"
            self._fail(f"{pending.what}{episode}", text, pending.refused)

    def _fail(self, what: str, why: str, refused: Refused) -> None:
        self._notice("error", f"{what}: {why}")
        refused(why)
