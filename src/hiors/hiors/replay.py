# SPDX-License-Identifier: Apache-2.0
"""`hiors replay`: publishes a recorded bag again, with /clock, at any speed. Needs no rosbag2."""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiors.options import Parser
from hiors_core.clock import to_ns, to_s
from hiors_core.errors import HiorsError, InvalidValue
from hiors_data.recording import Message, Recording, Topic

COMMANDS = ("control/command", "teleop/command", "policy/chunk", "sim/", "cmd_", "command")
"""What would move a robot whose driver is running; published only on request."""
COMMAND_TYPES = ("trajectory_msgs/", "geometry_msgs/msg/Twist", "control_msgs/")
"""Types that move other robots, likewise."""
LONGEST_WAIT = 3600.0
CLOCK_PERIOD = 0.02
"""Longest time between two /clock messages, of the wall clock [s]."""


@dataclass(slots=True)
class Pace:
    """The bag's time on the wall clock. ``start``: wall time of the bag's ``origin``, [ns]."""

    origin: int
    start: int
    rate: float
    paused_at: int | None = None

    def due(self, stamp: int) -> int:
        """Return the wall time [ns] at which the bag's ``stamp`` is due."""
        return self.start + int((stamp - self.origin) / self.rate)

    def bag_time(self, wall: int) -> int:
        """Return the bag's time [ns] at the wall time."""
        now = wall if self.paused_at is None else self.paused_at
        return self.origin + int((now - self.start) * self.rate)

    def toggle(self, wall: int) -> None:
        """Pause, or go on where it was paused."""
        if self.paused_at is None:
            self.paused_at = wall
        else:
            self.start += wall - self.paused_at
            self.paused_at = None


def main(argv: Sequence[str]) -> int:
    """Publish the bag until its end, or for ever with --loop."""
    options = _parser().parse_args(argv)
    if not 0.01 <= options.rate <= 100.0:
        raise InvalidValue(f"--rate must be within 0.01 .. 100, got {options.rate}.")
    if not 0.0 <= options.wait <= LONGEST_WAIT:
        raise InvalidValue(f"--wait must be within 0 .. {LONGEST_WAIT:g} s, got {options.wait}.")
    path = options.store / "episodes" / options.bag if options.store else Path(options.bag)
    with Recording(path) as recording:
        topics = _chosen(recording, options)
        print(f"{path.name}: {len(topics)} topics at rate {options.rate:g}; Ctrl-C ends")
        with _player(topics) as player, _keys() as pressed:
            player.wait_for_matches(options.wait)
            while True:
                player.play(recording, options.rate, pressed, paused=options.start_paused)
                if not options.loop:
                    return 0


def _parser() -> Parser:
    parser = Parser(prog="hiors replay", description=__doc__)
    parser.add_argument(
        "bag", help="bag folder, .mcap or .db3 file, or an episode id with --store"
    )
    parser.add_argument("--store", type=Path, help="episode store that holds the episode")
    parser.add_argument("--rate", type=float, default=1.0, help="speed (default 1)")
    parser.add_argument("--loop", action="store_true", help="start again at the end")
    parser.add_argument(
        "--start-paused", action="store_true", help="wait for the blank key before the first one"
    )
    parser.add_argument("--topics", nargs="+", metavar="TOPIC", help="only these topics")
    parser.add_argument(
        "--with-commands",
        action="store_true",
        help="publish commands too: A RUNNING DRIVER WILL FOLLOW THEM",
    )
    parser.add_argument("--wait", type=float, default=1.0, help="for subscribers, at most [s]")
    return parser


def _chosen(recording: Recording, options: argparse.Namespace) -> dict[str, Topic]:
    named = [recording.topic(name) for name in options.topics or ()]
    chosen, left_out = {}, []
    for topic in named or recording.topics.values():
        if topic.name == "/clock" or (_is_command(topic) and not options.with_commands):
            continue
        try:
            message_class(topic.type_name)
        except HiorsError:
            if named:
                raise
            left_out.append(f"{topic.name} ({topic.type_name})")
            continue
        chosen[topic.name] = topic
    if left_out:
        print(f"left out, their types are not built here: {', '.join(left_out)}")
    if not chosen:
        raise InvalidValue(f"{recording.path} has no topic to publish.")
    return chosen


def _is_command(topic: Topic) -> bool:
    named = any(f"/{word}" in topic.name for word in COMMANDS)
    return named or topic.type_name.startswith(COMMAND_TYPES)


class Player:
    """Publishers for the topics of a bag, and its clock."""

    def __init__(self, node: Any, topics: dict[str, Topic]) -> None:
        from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
        from rosgraph_msgs.msg import Clock

        def profile(topic: Topic) -> QoSProfile:
            reliable, lasting = QoSReliabilityPolicy, QoSDurabilityPolicy
            return QoSProfile(
                depth=topic.depth,
                reliability=reliable.RELIABLE if topic.reliable else reliable.BEST_EFFORT,
                durability=lasting.TRANSIENT_LOCAL if topic.latched else lasting.VOLATILE,
            )

        self._clock_type = Clock
        self._clock = node.create_publisher(Clock, "/clock", QoSProfile(depth=1))
        self._publishers = {
            name: node.create_publisher(message_class(topic.type_name), name, profile(topic))
            for name, topic in topics.items()
        }

    def wait_for_matches(self, seconds: float) -> None:
        """Wait until somebody listens to something, at most ``seconds``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(p.get_subscription_count() for p in self._publishers.values()):
                return
            time.sleep(0.02)

    def play(
        self,
        recording: Recording,
        rate: float,
        pressed: Callable[[], str],
        *,
        paused: bool = False,
    ) -> int:
        """Publish the bag once and return how many messages that were. The blank pauses."""
        pace: Pace | None = None
        count = 0
        for message in recording.messages(list(self._publishers)):
            if pace is None:
                now = time.monotonic_ns()
                pace = Pace(message.stamp, now, rate, now if paused else None)
            self._wait_until_due(pace, message, pressed)
            self._publishers[message.topic].publish(message.data)
            count += 1
        return count

    def _wait_until_due(self, pace: Pace, message: Message, pressed: Callable[[], str]) -> None:
        while True:
            wall = time.monotonic_ns()
            if pressed() == " ":
                pace.toggle(wall)
            self._tick(min(pace.bag_time(wall), message.stamp))
            left = pace.due(message.stamp) - wall
            if pace.paused_at is None and left <= 0:
                return
            wait = CLOCK_PERIOD if pace.paused_at is not None else to_s(left)
            time.sleep(min(CLOCK_PERIOD, wait))

    def _tick(self, stamp: int) -> None:
        message = self._clock_type()
        message.clock.sec, message.clock.nanosec = divmod(stamp, to_ns(1.0))
        self._clock.publish(message)


def message_class(type_name: str) -> Any:
    """Return the class of ``package/msg/Name``."""
    package, _, name = type_name.partition("/msg/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise HiorsError(f"Message type {type_name} is not built here: {error}") from error


@contextmanager
def _player(topics: dict[str, Topic]) -> Iterator[Player]:
    import rclpy

    rclpy.init(args=[])
    try:
        yield Player(rclpy.create_node("hiors_replay"), topics)
    finally:
        rclpy.try_shutdown()


@contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """Give a function that returns a key pressed since the last call, or nothing."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    import select
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield lambda: sys.stdin.read(1) if select.select([sys.stdin], [], [], 0)[0] else ""
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
