# SPDX-License-Identifier: Apache-2.0
"""Episodes, a learner's side, a robot's side and a bad network for the tests of the link."""

import hashlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock, to_ns
from hiors_core.durable import sha256_file, write_document
from hiors_core.folder import verify_folder
from hiors_core.label import Outcome, judge
from hiors_core.link import Link, Notice
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.store import EpisodeStore
from hiors_link.actor import Actor, ActorSettings
from hiors_link.incoming import Limits
from hiors_link.messages import Message, make
from hiors_link.server import Server

TASK = "insert"
START = 1_700_000_000 * 10**9
PATIENCE = 100.0
OPEN: "list[Server | Actor | Network]" = []
"""What the test has made; closed at its end."""


class Robot:
    """The run folder of a robot, with an actor for its link."""

    def __init__(self, root: Path, name: str = "robot1") -> None:
        self.root, self.name = root, name
        self.store = EpisodeStore(root / "store")
        self.link = Link(root / "link")
        self.checkpoints = root / "checkpoints"

    def accept(self, episode_id: str, size: int = 0, seed: int = 0, task: str = TASK) -> Path:
        """Record an episode with ``size`` random bytes and leave its notice."""
        meta = EpisodeMeta(episode_id=episode_id, task=task, names=("a", "b"))
        recording = start_recording(self.store, meta)
        noise = np.random.default_rng(seed)
        for tick in range(31):
            stamp = START + to_ns(tick / 30.0)
            position = np.full(2, 0.01 * tick)
            logged = recording.executed(
                stamp, tick=tick, epoch=1, authority=Authority.HUMAN, position=position
            )
            if logged and size:
                recording.jpeg("top", logged, noise.bytes(size // 10))
        recording.finish("labelled")
        self.store.set_label(episode_id, judge(Outcome.SUCCESS, stamp=START))
        folder = self.store.path(episode_id)
        sha256 = sha256_file(folder / "manifest.json")
        self.link.send(Notice(episode_id=episode_id, path=str(folder), sha256=sha256, task=task))
        return folder

    def actor(self, address: str, keys: Path | None = None, **how: float) -> Actor:
        settings = ActorSettings(address=address, actor=self.name, keys=keys, **how)
        made = Actor(Link(self.root / "link"), self.checkpoints, settings, SteadyClock())
        OPEN.append(made)
        return made


def serve(
    run: Path, address: str = "tcp://127.0.0.1:0", keys: Path | None = None, **limits: int
) -> Server:
    made = Server(run, address, SteadyClock(), keys, Limits(**{"reserve": 0, **limits}))
    OPEN.append(made)
    return made


class Oversized(Server):
    """A learner that answers every request for bytes of a checkpoint with so many [bytes]."""

    size = 0

    def _fetch(self, sender: bytes, message: Message) -> None:
        header = make("chunk", version=message["version"], offset=message["offset"])
        self._send(sender, header, b"x" * self.size)


def pump(until: Callable[[], bool], *parts: Server | Actor, seconds: float = PATIENCE) -> None:
    """Let servers and actors take turns until the condition holds."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it never happened"
        for part in parts:
            part.step(0.002)


def stored(run: Path) -> dict[str, Path]:
    """Return the whole episodes of all robots by "robot/id", verified."""
    found = {}
    for folder in run.glob("robots/*/episodes/*"):
        verify_folder(folder)
        found[f"{folder.parents[1].name}/{folder.name}"] = folder
    return found


def publish(run: Path, version: str, size: int = 1000) -> bytes:
    """Publish a checkpoint as the learner does and return its weights."""
    folder = run / "checkpoints" / version
    folder.mkdir(parents=True)
    weights = np.random.default_rng(len(version) + size).bytes(size)
    sha256 = hashlib.sha256(weights).hexdigest()
    (folder / "model.safetensors").write_bytes(weights)
    write_document(folder / "manifest.json", {"version": version, "sha256": sha256, "size": size})
    latest = {"version": version, "path": str(folder), "sha256": sha256}
    write_document(run / "checkpoints" / "latest.json", latest)
    return weights


class Network:
    """A TCP relay on loopback that is slow, and can be cut.

    Args:
        rate: bytes a second towards the server.
    """

    def __init__(self, target: str, rate: float = 1e9) -> None:
        self._target = ("127.0.0.1", int(target.rsplit(":", 1)[1]))
        self.rate, self.passed, self._stop = rate, 0, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        # A small window, so that what was sent is what has arrived.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        OPEN.append(self)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        self._listener.settimeout(0.05)
        threads = []
        while not self._stop.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            threads.append(threading.Thread(target=self._relay, args=(near,), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _relay(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        with near, far:
            while not self._stop.is_set():
                for ready in select.select([near, far], [], [], 0.05)[0]:
                    try:
                        data = ready.recv(4096)
                        (far if ready is near else near).sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    if ready is near:
                        self.passed += len(data)
                        time.sleep(len(data) / self.rate)


def environment(**changes: str) -> dict[str, str]:
    import sys

    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **changes}
