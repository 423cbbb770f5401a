# SPDX-License-Identifier: Apache-2.0
"""Services whose answer takes seconds: served beside the node, which goes on meanwhile."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node


class SlowServices:
    """Serves on a companion node with a thread of its own, one call after another.

    The callbacks of a node run on one thread: a handler that waits there would hold up the node's
    streams.

    Args:
        owner: whose services these are. Names resolve as the owner's would, remaps included.
    """

    def __init__(self, owner: Node) -> None:
        self._owner = owner
        # Not subject to remaps of the command line: `__node:=x` would give both nodes one name.
        self._node = Node(
            f"{owner.get_name()}_services",
            context=owner.context,
            namespace=owner.get_namespace(),
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._executor = SingleThreadedExecutor(context=owner.context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="slow-services", daemon=True)
        self._thread.start()

    def serve(self, kind: Any, name: str, handler: Callable[[Any, Any], Any]) -> None:
        """Serve ``name`` (relative to the owner) with ``handler(request, response)``."""
        self._node.create_service(kind, self._owner.resolve_service_name(name), handler)
        self._executor.wake()

    def close(self) -> None:
        """End the thread and the services. A call in progress is given a second."""
        self._executor.shutdown(timeout_sec=1.0)
        self._thread.join(timeout=1.0)
        self._node.destroy_node()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()
