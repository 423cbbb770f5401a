# SPDX-License-Identifier: Apache-2.0
"""The service calls of quest_node: never waited for, each with its answer on the page."""

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


@dataclass(slots=True)
class _Pending:
    client: Client
    deadline: int
    what: str


class Requests:
    """Sends requests and reports their results; used from the node's thread only."""

    def __init__(self, node: HiorsNode, notice: Notice, clock: Clock) -> None:
        self._authority = node.create_client(SetAuthority, "control/set_authority")
        self._label = node.create_client(LabelEpisode, "episode/label_episode")
        self._notice = notice
        self._clock = clock
        self._pending: dict[Future, _Pending] = {}

    def authority(self, request: Request, operator: str, reason: str) -> None:
        """Ask the arbiter for a change of authority."""
        call = SetAuthority.Request(request=request, operator_name=operator, reason=reason)
        self._send(self._authority, call, reason)

    def label(self, outcome: int, labeler: str, what: str) -> None:
        """Label the running or newest unlabelled episode."""
        call = LabelEpisode.Request(outcome=outcome, labeler=labeler, source="quest")
        self._send(self._label, call, what)

    def poll(self) -> None:
        """Give up on requests that nobody answered."""
        now = self._clock.now()
        for future in [f for f, p in self._pending.items() if now > p.deadline]:
            late = self._pending.pop(future)
            late.client.remove_pending_request(future)
            self._notice("error", f"{late.what}: no answer from {late.client.srv_name}")

    def _send(self, client: Client, call: Any, what: str) -> None:
        if not client.service_is_ready():
            self._notice("error", f"{what}: nobody serves {client.srv_name}")
            return
        future = client.call_async(call)
        deadline = self._clock.now() + to_ns(_PATIENCE)
        self._pending[future] = _Pending(client, deadline, what)
        future.add_done_callback(self._done)

    def _done(self, future: Future) -> None:
        pending = self._pending.pop(future, None)
        if pending is None or future.cancelled():
            return
        answer = future.result()
        level = "info" if answer.success else "error"
        episode = f" ({answer.episode_id})" if getattr(answer, "episode_id", "") else ""
        text = answer.message or ("done" if answer.success else "refused")
        self._notice(level, f"{pending.what}{episode}: {text}")
