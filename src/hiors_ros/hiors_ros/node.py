# SPDX-License-Identifier: Apache-2.0
"""How every hiors node starts, subscribes and ends: exit codes, QoS by table, diagnostics."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import rclpy
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription

from hiors_core.errors import HiorsError
from hiors_ros import parameters, qos
from hiors_ros.diagnostics import Diagnostics
from hiors_ros.offers import Offers

P = TypeVar("P")

SWITCH_INTERVAL = 0.0005
"""How long one thread may keep the others of its node waiting [s]; Python's own 5 ms adds up over
the threads of a driver to more than a control period.
"""
REALTIME_PRIORITY = 20
"""Of the threads that move the robot; interrupts of the kernel have 50."""


class _HiorsMixin(Node):
    """What hiors adds to an rclpy node."""

    diagnostics: Diagnostics

    def declare_all(self, cls: type[P], prefix: str = "") -> P:
        """Declare a parameter dataclass (see hiors_ros.parameters) and return its values."""
        return parameters.declare(self, cls, prefix)

    def finish_parameters(self) -> None:
        """Refuse overrides that nobody declared. Call once, after the last ``declare_all``."""
        parameters.refuse_unknown(self)

    def advertise(self, kind: Any, topic: str) -> Publisher:
        """Create a publisher with the topic's quality of service from the table."""
        return self.create_publisher(kind, topic, qos.profile(topic), event_callbacks=qos.UNTOLD)

    def subscribe(
        self,
        kind: Any,
        topic: str,
        callback: Callable[[Any], None],
        *,
        profile: QoSProfile | None = None,
        raw: bool = False,
    ) -> Subscription:
        """Subscribe with the table's quality of service; a mismatch becomes a diagnostic."""
        return self.create_subscription(
            kind,
            topic,
            callback,
            profile or qos.profile(topic),
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            raw=raw,
        )

    def now_ns(self) -> int:
        """Return ROS time [ns]."""
        return int(self.get_clock().now().nanoseconds)

    def close(self) -> None:
        """Free what the node holds. Called once at the end, while publishing still works."""


class HiorsNode(_HiorsMixin):
    """Base of the plain nodes."""

    def __init__(self, name: str, hardware_id: str = "", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.diagnostics = Diagnostics(self, hardware_id)
        Offers(self, self.diagnostics)


class HiorsLifecycleNode(_HiorsMixin, LifecycleNode):
    """Base of the managed nodes."""

    def __init__(self, name: str, hardware_id: str = "", **kwargs: Any) -> None:
        LifecycleNode.__init__(self, name, **kwargs)
        self.diagnostics = Diagnostics(self, hardware_id)
        Offers(self, self.diagnostics)


def _ask_for_realtime() -> None:
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))


def settle() -> None:
    """Leave all objects that live now out of Python's garbage collection for good.

    A full collection looks through everything that was imported and holds all threads of the
    node meanwhile: about 6 ms with rclpy and numpy, 110 ms with torch and transformers.
    """
    gc.collect()
    gc.freeze()


def run_node(
    factory: Callable[[], _HiorsMixin],
    *,
    realtime: bool = False,
    args: Sequence[str] | None = None,
) -> int:
    """Build the node, spin it until SIGINT or SIGTERM, close it. Returns the exit code.

    0 after a signal, 2 when the node refuses to start (HiorsError, with its message on stderr).
    The events executor would cost a third of the processor time; it is not used, since with it
    the recorder heard nothing of one topic in some runs. ``realtime`` is for the nodes that move
    the robot: where the user may (root, or rtprio in limits.conf), their threads run before all
    ordinary ones.
    """
    if realtime:
        _ask_for_realtime()
    sys.setswitchinterval(SWITCH_INTERVAL)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node: _HiorsMixin | None = None
    spinner = SingleThreadedExecutor()
    try:
        node = factory()
        settle()
        spinner.add_node(node)
        while not stop.is_set():
            spinner.spin_once(timeout_sec=0.2)
    except HiorsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        if node is not None:
            node.close()
        spinner.shutdown(timeout_sec=1.0)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
