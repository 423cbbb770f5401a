# SPDX-License-Identifier: Apache-2.0
"""People with devices, for the whole-system tests: each acts through its device alone.

`Person` is what a story needs; how it is done is the device's: a WebSocket with TLS, Joy messages,
keys in a terminal.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
from sensor_msgs.msg import Joy

from hiors_interfaces.srv import LabelEpisode, SetAuthority

SPEED = 0.1
"""At which a person raises the tool [m/s]."""
_PERIOD = 0.02
_LET_GO = 1.5
"""Silence of a terminal after which no key counts as held [s]."""


class Person(ABC):
    """Somebody with a device. Called from the story's thread."""

    @abstractmethod
    def raise_tool(self) -> None:
        """Take the device in hand, take over, and raise the tool from now on."""

    @abstractmethod
    def keep_still(self) -> None:
        """Move no more."""

    @abstractmethod
    def hand_back(self) -> None:
        """Let go and give the robot to the policy."""

    @abstractmethod
    def say_success(self) -> None:
        """Label the episode."""

    @abstractmethod
    def close(self) -> None:
        """Put the device away."""

    def ready(self) -> bool:
        """Tell whether the device works."""
        return True


class JoyPerson(Person):
    """A gamepad or the like, as the joy package shows it: 50 messages a second."""

    def __init__(self, node: Any, topic: str, *, axis: int, deadman: int) -> None:
        self.node = node
        self._axis, self._deadman = axis, deadman
        self.axes, self.buttons = [0.0] * 8, [0] * 11
        self._publisher = node.create_publisher(Joy, topic, 10)
        self._timer = node.create_timer(_PERIOD, self._publish)

    def _publish(self) -> None:
        message = Joy(axes=self.axes, buttons=self.buttons)
        message.header.stamp = self.node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def ready(self) -> bool:
        return self._publisher.get_subscription_count() > 0

    def raise_tool(self) -> None:
        # Let go and pressed again: a request that was lost is made once more.
        self.buttons[self._deadman] = 0
        time.sleep(0.2)
        self.buttons[self._deadman] = 1
        self.axes[self._axis] = 1.0

    def keep_still(self) -> None:
        self.axes[self._axis] = 0.0

    def click(self, button: int) -> None:
        self.buttons[button] = 1
        time.sleep(0.2)
        self.buttons[button] = 0

    def close(self) -> None:
        self.node.destroy_timer(self._timer)


class Gamepad(JoyPerson):
    """As config/teleop/gamepad.yaml has it."""

    def __init__(self, node: Any) -> None:
        super().__init__(node, "joy", axis=4, deadman=4)

    def hand_back(self) -> None:
        self.buttons[4] = 0
        self.click(7)

    def say_success(self) -> None:
        self.click(0)


class SpaceMouse(JoyPerson):
    """As config/teleop/spacemouse.yaml has it: it only drives. The rest is said at a screen."""

    def __init__(self, node: Any) -> None:
        super().__init__(node, "spacenav/joy", axis=2, deadman=0)
        self._authority = node.create_client(SetAuthority, "control/set_authority")
        self._label = node.create_client(LabelEpisode, "episode/label_episode")

    def hand_back(self) -> None:
        self.buttons[0] = 0
        request = SetAuthority.Request(request=SetAuthority.Request.POLICY, operator_name="ada")
        self._authority.call_async(request)

    def say_success(self) -> None:
        success = LabelEpisode.Request.SUCCESS
        request = LabelEpisode.Request(outcome=success, labeler="ada", source="screen")
        self._label.call_async(request)


class Keyboard(Person):
    """A terminal with keyboard_node in it; a held key repeats."""

    def __init__(self, robot_file: Path, log: Path) -> None:
        self._master, self._slave = os.openpty()
        words = [sys.executable, "-m", "hiors_teleop.keyboard_node", "--ros-args"]
        for name, value in (
            ("robot_file", robot_file), ("arms", "[left]"), ("silence", _LET_GO), ("pulse", 0.2),
        ):  # fmt: skip
            words += ["-p", f"{name}:={value}"]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(words, stdin=self._slave, stderr=errors)
        self._held, self._ended = False, threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)
        self._thread.start()

    def _repeat(self) -> None:
        while not self._ended.wait(0.05):
            if self._held:
                self._press(b"r")

    def _press(self, key: bytes) -> None:
        os.write(self._master, key)

    def raise_tool(self) -> None:
        if self._held:
            # After a request that was lost the keys count again once they were let go.
            self._held = False
            time.sleep(_LET_GO + 0.2)
        self._press(b"t")
        self._held = True

    def keep_still(self) -> None:
        self._held = False

    def hand_back(self) -> None:
        self._press(b"p")

    def say_success(self) -> None:
        self._press(b"\r")

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._process.terminate()
        self._process.wait(10)
        for descriptor in (self._master, self._slave):
            os.close(descriptor)


class Headset(Person):
    """A page in a headset's browser: frames at 60 Hz over the node's own TLS socket."""

    def __init__(self, said: list[str]) -> None:
        self._said = said
        self._height, self._squeeze, self._speed = 1.0, 0.0, 0.0
        self._buttons: dict[str, list[str]] = {"left": [], "right": []}
        self._operates = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._play()), daemon=True)
        self._thread.start()

    def ready(self) -> bool:
        assert self._thread.is_alive(), "the headset was thrown out"
        return self._operates

    def raise_tool(self) -> None:
        self._click("left", "y")
        self._squeeze, self._speed = 1.0, SPEED

    def keep_still(self) -> None:
        self._speed = 0.0

    def hand_back(self) -> None:
        self._squeeze = 0.0
        self._click("left", "y")

    def say_success(self) -> None:
        self._click("right", "a")

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _click(self, hand: str, button: str) -> None:
        self._buttons[hand] = [button]
        time.sleep(0.2)
        self._buttons[hand] = []

    def _url(self) -> str | None:
        pattern = re.compile(r"Open in the headset's browser: (\S+)")
        return next((found[1] for line in self._said if (found := pattern.search(line))), None)

    async def _play(self) -> None:
        while (url := self._url()) is None:
            if self._ended.is_set():
                return
            await asyncio.sleep(0.05)
        base, token = url.split("#")
        # The certificate was made a moment ago; a person says "proceed" once.
        connector = aiohttp.TCPConnector(ssl=False)
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            http.ws_connect(f"{base}ws") as socket,
        ):
            await socket.send_json({"t": "hello", "token": token})
            await socket.send_json({"t": "claim", "name": "ada"})
            await asyncio.gather(self._listen(socket), self._stream(socket))

    async def _listen(self, socket: Any) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                data = json.loads(message.data)
                self._operates = data["mine"] if data["t"] == "role" else self._operates

    async def _stream(self, socket: Any) -> None:
        clock, number = asyncio.get_running_loop().time, 0
        before = clock()
        while not self._ended.is_set():
            now, number = clock(), number + 1
            # A leap would open the clutch: this hand is never faster than 2 cm a frame.
            self._height += min(self._speed * (now - before), 0.02)
            before = now
            hands = {name: self._hand(name) for name in ("left", "right")}
            frame = {"t": "frame", "n": number, "time": now, "visible": True}
            await socket.send_json(frame | {"head": [0.0, 0.0, 0.0, 1.0]} | hands)
            await asyncio.sleep(1 / 60)
        await socket.close()

    def _hand(self, name: str) -> dict[str, Any]:
        return {
            "pose": [0.0, self._height, -0.3, 0.0, 0.0, 0.0, 1.0],
            "emulated": False,
            "trigger": 0.0,
            "squeeze": self._squeeze,
            "buttons": self._buttons[name],
        }


def story(
    person: Person, authority: Callable[[], str], height: Callable[[], float]
) -> Iterator[None]:
    """Watch the policy, take over, raise the tool by 5 cm, hand back, call it a success.

    What a person does without effect they do again. Give a turn ten times a second.
    """
    yield from _until(lambda: authority() == "POLICY")
    yield from _seconds(1.2)
    yield from _insist(person.raise_tool, lambda: authority() == "HUMAN")
    start = height()
    yield from _until(lambda: height() > start + 0.05 or authority() != "HUMAN")
    person.keep_still()
    yield from _seconds(0.8)
    yield from _insist(person.hand_back, lambda: authority() == "POLICY")
    yield from _seconds(1.0)
    yield from _insist(person.say_success, lambda: False)


def _insist(action: Callable[[], None], done: Callable[[], bool]) -> Iterator[None]:
    while not done():
        action()
        end = time.monotonic() + 3.0
        while not done() and time.monotonic() < end:
            yield


def _until(condition: Callable[[], bool]) -> Iterator[None]:
    while not condition():
        yield


def _seconds(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    yield from _until(lambda: time.monotonic() > end)
