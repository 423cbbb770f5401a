# SPDX-License-Identifier: Apache-2.0
"""The Dobot V3 protocol on TCP: dashboard 29999, motion 30003, feedback 30004 at 125 Hz, with
faults on request.

Owns the sockets and the thread that serves them; what the commands mean is the controller's.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hiors_core.clock import Clock, SteadyClock
from hiors_core.errors import HiorsError, StateError
from hiors_core.robot import Arm
from hiors_sim.dobot_controller import DobotController, Received
from hiors_sim.dobot_faults import ChannelFault, Faults
from hiors_sim.dobot_state import ControllerSettings
from hiors_sim.dobot_text import Port, RequestSplitter, reply
from hiors_sim.plant import JointPlant

T = TypeVar("T")

PERIOD = 0.008
"""Time between feedback packets [s]."""
BACKLOG = 1 << 20
"""Bytes a client may leave unread before packets for it are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports; 0 takes a free one."""

    dashboard: int = 29999
    motion: int = 30003
    feedback: int = 30004


FREE_PORTS = Ports(dashboard=0, motion=0, feedback=0)


@dataclass(slots=True)
class _Channel:
    """One listening port with its connections."""

    fault: ChannelFault
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None


class DobotEmulator:
    """Serves one emulated arm. Use as a context manager, or start() and stop()."""

    def __init__(
        self,
        plant: JointPlant,
        arm: Arm,
        *,
        host: str = "127.0.0.1",
        ports: Ports = FREE_PORTS,
        settings: ControllerSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.host = host
        self.ports = ports
        self.faults = Faults()
        self.packets = 0
        self._clock = clock or SteadyClock()
        self._controller = DobotController(
            plant, arm, self._clock, settings or ControllerSettings()
        )
        self._channels = {
            "dashboard": _Channel(self.faults.dashboard),
            "motion": _Channel(self.faults.motion),
            "feedback": _Channel(self.faults.feedback),
        }
        if settings is not None and settings.protocol == "v4":
            del self._channels["motion"]
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Bind the ports and serve from a thread of its own."""
        sockets = {name: self._bind(name) for name in self._channels}
        self.ports = replace(
            self.ports, **{name: s.getsockname()[1] for name, s in sockets.items()}
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name="dobot", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(sockets), self._loop).result(5.0)

    def stop(self) -> None:
        """Close everything."""
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._thread = None
        self._loop.close()

    def __enter__(self) -> "DobotEmulator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def call(self, action: Callable[[DobotController], T]) -> T:
        """Run ``action`` on the controller, between two commands, and return its result."""

        async def run() -> T:
            return action(self._controller)

        if self._thread is None:
            raise StateError("The emulator does not run. Call start() first.")
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(5.0)

    def received(self) -> list[Received]:
        """Return every command of the motion port so far, with its time of arrival."""
        return self.call(lambda c: list(c.received))

    def drop_connections(self, *names: str) -> None:
        """Close the connections of the named channels (all when none is named); new ones are
        welcome.
        """

        def close(_: DobotController) -> None:
            for name in names or tuple(self._channels):
                for writer in list(self._channels[name].writers):
                    writer.close()

        self.call(close)

    def _bind(self, name: str) -> socket.socket:
        port = getattr(self.ports, name)
        # Named, since asyncio turns Nagle off only for sockets that say they are TCP.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, port))
        except OSError as error:
            raise HiorsError(
                f"The emulator cannot listen on {self.host}:{port} ({error.strerror})."
                " Another one may run; choose another host of 127.0.0.0/8 or other ports."
            ) from error
        return listener

    async def _open(self, sockets: dict[str, socket.socket]) -> None:
        for name, channel in self._channels.items():
            channel.server = await asyncio.start_server(self._serve(name), sock=sockets[name])
        self._spawn(self._feed())

    async def _close(self) -> None:
        for channel in self._channels.values():
            if channel.server:
                channel.server.close()
            for writer in list(channel.writers):
                writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _serve(self, name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        channel = self._channels[name]

        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            channel.writers.add(writer)
            try:
                if name == "feedback":
                    await reader.read()
                else:
                    await self._talk(reader, writer, Port(name), channel.fault)
            except ConnectionError:
                pass
            finally:
                channel.writers.discard(writer)
                writer.close()

        return lambda reader, writer: self._spawn(session(reader, writer))

    async def _talk(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        port: Port,
        fault: ChannelFault,
    ) -> None:
        splitter = RequestSplitter()
        waiting: list[str] = []
        while data := await reader.read(65536):
            for text in splitter.feed(data):
                answer = await self._answer(text, port, fault)
                if answer is not None:
                    waiting.append(answer)
                if len(waiting) >= fault.merge:
                    await _send(writer, "".join(waiting).encode(), fault)
                    waiting.clear()

    async def _answer(self, text: str, port: Port, fault: ChannelFault) -> str | None:
        if fault.error_id is not None:
            return reply(fault.error_id, "", text)
        answer = self._controller.execute(text, port)
        while answer.when_idle and not self._controller.queue.idle:
            await asyncio.sleep(PERIOD)
        return answer.text

    async def _feed(self) -> None:
        due = self._loop.time()
        while True:
            due += PERIOD
            now = self._loop.time()
            if now - due > 10 * PERIOD:
                due = now
            await asyncio.sleep(max(0.0, due - now))
            reading = self._controller.tick()
            channel = self._channels["feedback"]
            if channel.writers and not channel.fault.stall:
                data = self._controller.packet(reading)
                for writer in list(channel.writers):
                    await self._push(writer, data, channel.fault)
                self.packets += 1

    async def _push(self, writer: asyncio.StreamWriter, data: bytes, fault: ChannelFault) -> None:
        if writer.is_closing() or writer.transport.get_write_buffer_size() > BACKLOG:
            return
        data = fault.take_garbage() + data
        if fault.split:
            middle = len(data) // 3
            writer.write(data[:middle])
            await asyncio.sleep(0.0)
            data = data[middle:]
        writer.write(data)


async def _send(writer: asyncio.StreamWriter, data: bytes, fault: ChannelFault) -> None:
    if fault.stall:
        return
    data = fault.take_garbage() + data
    if not fault.split:
        writer.write(data)
        await writer.drain()
        return
    for i in range(len(data)):
        writer.write(data[i : i + 1])
        await asyncio.sleep(0.0005)
