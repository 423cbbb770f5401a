# SPDX-License-Identifier: Apache-2.0
"""What a person's device or front end asks of the graph: never waited for, each answer told to the
person as one line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from hiors_core.authority import Request
from hiors_core.clock import Clock, to_ns
from hiors_interfaces.srv import LabelEpisode, SetAuthority

_PATIENCE = 3.0
"""How long an answer may take before the person is told [s]."""

Notice = Callable[[str, str], None]
"""Takes a level ("info", "warn" or "error") and one line of text."""
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

    Call ``poll`` now and then: it gives up on requests that nobody answers.

    Args:
        node: plain rclpy node; names are relative to it.
        source: device or front end, as the label keeps it. prefix: before the services' names.
    """

    def __init__(
        self, node: Node, notice: Notice, clock: Clock, source: str, prefix: str = ""
    ) -> None:
        self._authority = node.create_client(SetAuthority, f"{prefix}control/set_authority")
        self._label = node.create_client(LabelEpisode, f"{prefix}episode/label_episode")
        self._node = node
        self._notice = notice
        self._clock = clock
        self._source = source
        self._pending: dict[Future, _Pending] = {}

    def authority(
        self, request: Request, operator: str, what: str, refused: Refused = _ignore
    ) -> None:
        """Ask the arbiter for a change of authority; ``refused`` is told why not, unless a later
        request has been answered by then.
        """
        reason = f"{what} ({self._source})"
        call = SetAuthority.Request(request=request, operator_name=operator, reason=reason)
        self._send(self._authority, call, what, refused)

    def label(
        self,
        outcome: int,
        labeler: str,
        what: str,
        *,
        episode_id: str = "",
        episode_return: float = 0.0,
        stage_rewards: Sequence[float] = (),
    ) -> None:
        """Label an episode; without an id the running or newest unlabelled one."""
        call = LabelEpisode.Request(
            episode_id=episode_id,
            outcome=outcome,
            episode_return=float(episode_return),
            stage_rewards=[float(r) for r in stage_rewards],
            labeler=labeler,
            source=self._source,
        )
        self._send(self._label, call, what, _ignore)

    def poll(self) -> None:
        """Give up on requests that nobody answered."""
        now = self._clock.now()
        for future in [f for f, p in self._pending.items() if now > p.deadline]:
            late = self._pending.pop(future)
            late.client.remove_pending_request(future)
            self._fail(late.what, f"no answer from {late.client.srv_name}", late.refused)

    def close(self) -> None:
        """Give the clients back to the node."""
        for client in (self._authority, self._label):
            self._node.destroy_client(client)

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
        for other in self._pending.values():
            # What has been answered since says more than that nobody answered before it.
            if other.client is pending.client and other.deadline <= pending.deadline:
                other.refused = _ignore
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
