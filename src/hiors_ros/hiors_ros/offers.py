# SPDX-License-Identifier: Apache-2.0
"""Whether those who publish what a node hears offer what it asks for; else nothing arrives.

DDS can tell of it by events, too, but each is one more thing that rclpy waits for at every turn.
"""

from collections.abc import Iterator
from contextlib import suppress

from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from hiors_ros.diagnostics import Diagnostics, Level


class Offers:
    """The publishers of all topics that a node hears, looked at before each diagnostic."""

    def __init__(self, node: Node, diagnostics: Diagnostics) -> None:
        self._node, self._diagnostics = node, diagnostics
        self._refused: set[str] = set()
        diagnostics.before(self.look)

    def look(self) -> None:
        """Set an error for each topic of which a publisher cannot be heard; OK when it is gone."""
        seen = {name: self._why(name, one) for name, one in self._heard()}
        refused = {name: why for name, why in seen.items() if why}
        for name in self._refused - set(refused):
            self._diagnostics.set(f"qos {name}", Level.OK, "every publisher can be heard")
        for name, why in refused.items():
            self._diagnostics.set(f"qos {name}", Level.ERROR, why)
        self._refused = set(refused)

    def _heard(self) -> Iterator[tuple[str, Subscription]]:
        """Yield the node's subscriptions by topic, as short as the node calls it."""
        inside = f"{self._node.get_namespace().rstrip('/')}/"
        for one in self._node.subscriptions:
            # Another thread may end it meanwhile.
            with suppress(InvalidHandle):
                yield one.topic_name.removeprefix(inside), one

    def _why(self, name: str, subscription: Subscription) -> str:
        """Return which publishers cannot be heard and why, or ""."""
        found = []
        with suppress(InvalidHandle):
            found = self._node.get_publishers_info_by_topic(subscription.topic_name)
        reasons = [why for offer in found if (why := _reason(offer, subscription))]
        if not reasons:
            return ""
        count = f"{len(reasons)} of {len(found)} publishers of '{name}' cannot be heard"
        return f"{count}: {'; '.join(reasons)}"


def _reason(offer: TopicEndpointInfo, wanted: Subscription) -> str:
    """Return why a publisher cannot be heard, or ""."""
    who = f"{offer.node_namespace.rstrip('/')}/{offer.node_name}"
    kind = wanted.msg_type
    package, space = kind.__module__.split(".")[:2]
    if offer.topic_type != (name := f"{package}/{space}/{kind.__name__}"):
        return f"{who} sends {offer.topic_type} instead of {name}"
    compatible, why = qos_check_compatible(offer.qos_profile, wanted.qos_profile)
    return f"{who} offers other QoS ({why})" if compatible == QoSCompatibility.ERROR else ""
