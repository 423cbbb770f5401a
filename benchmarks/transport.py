# SPDX-License-Identifier: Apache-2.0
"""Speed of the link on loopback, beside a raw socket copy and pickle+lz4 REQ/REP, in one run.

    hiors bench transport [-- --repeat 5 --parts upload weights trainable active]

Sender and receiver are two processes. Every method moves the same random bytes in turn, so that
the noise of the machine is in all of them alike; the ratios are medians of ratios within a turn.

raw         one TCP connection, sendall, recv_into memory, an answer of one byte
raw+disk    the same, but written to a file and synced before the answer
pickle+lz4  ZeroMQ REQ/REP with a pickled, lz4-compressed message: the way of agentlace, rebuilt
            here as a stand-in; this is not agentlace. An upload is a list of transitions, kept in
            memory. +log: each message that comes is also formatted for a debug line that nobody
            sees, as agentlace (76984f9) does
ours        hiors_link: episode stored, synced and announced before it is acknowledged; a
            checkpoint complete in the robot's folder. +curve: the same, encrypted

trainable: an accepted episode's way into the training set, stage by stage. active: a checkpoint's
way to the policy that drives. Both with the real processes, by files and by ZeroMQ.
"""

import argparse
import hashlib
import logging
import os
import pickle
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import zmq

from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock, to_ns
from hiors_core.durable import fsync_all, sha256_file, write_document
from hiors_core.link import Link, Notice
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.store import EpisodeStore
from hiors_link.actor import Actor, ActorSettings
from hiors_link.keys import new_identity
from hiors_link.server import Server

TRANSITION = 454_000
"""Bytes: 3 images of 224 x 224 x 3, state, chunk of 50 x 14."""
_IMAGE = (224, 224, 3)
UPLOADS = {"1 transition": 1, "20 transitions": 20, "200 transitions": 200}
WEIGHTS = {"10 MB": 10, "100 MB": 100, "500 MB": 500}
START = 1_700_000_000 * 10**9
Method = Callable[[np.ndarray], float]


def serve_raw(port: int, folder: Path) -> None:
    """Receive bytes into memory, or also onto the disk, and answer."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        line, _ = listener.accept()
        with line:
            while head := line.recv(9, socket.MSG_WAITALL):
                size, keep = struct.unpack("<QB", head)
                buffer = memoryview(bytearray(size))
                done = 0
                while done < size:
                    done += line.recv_into(buffer[done:])
                if keep:
                    with (folder / "raw.bin").open("wb") as file:
                        file.write(buffer)
                        file.flush()
                        os.fsync(file.fileno())
                line.sendall(b"k")


def serve_pickle(port: int, *, log: bool) -> None:
    """Receive, decompress, unpickle and keep a message in memory, and answer."""
    import lz4.frame

    answerer = zmq.Context().socket(zmq.REP)
    answerer.bind(f"tcp://127.0.0.1:{port}")
    while True:
        kept = pickle.loads(lz4.frame.decompress(answerer.recv()))  # noqa: S301 the stand-in
        if log:
            logging.getLogger("stand-in").debug(f"Received new request: {kept}")
        answerer.send(lz4.frame.compress(pickle.dumps({"stored": len(kept)})))


def serve_link(port: int, run: Path, keys: Path | None) -> None:
    """Run the learner's side."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = Server(run, f"tcp://127.0.0.1:{port}", SteadyClock(), keys)
    server.run(stop)
    server.close()


def raw_method(port: int, *, keep: bool) -> Method:
    """Return what sends by one raw socket."""
    line = _connect(port)

    def send(data: np.ndarray) -> float:
        begun = time.perf_counter()
        line.sendall(struct.pack("<QB", len(data), keep))
        line.sendall(data)
        line.recv(1)
        return time.perf_counter() - begun

    return send


def pickle_method(port: int, pack: Callable[[np.ndarray], object]) -> Method:
    """Return what sends as agentlace does what ``pack`` makes of the bytes."""
    import lz4.frame

    asker = zmq.Context().socket(zmq.REQ)
    asker.connect(f"tcp://127.0.0.1:{port}")

    def send(data: np.ndarray) -> float:
        message = {"data": pack(data)}
        begun = time.perf_counter()
        asker.send(lz4.frame.compress(pickle.dumps(message)))
        pickle.loads(lz4.frame.decompress(asker.recv()))  # noqa: S301 the stand-in
        return time.perf_counter() - begun

    return send


class Ours:
    """A robot's side of the link."""

    def __init__(self, root: Path, port: int, run: Path, keys: Path | None) -> None:
        self.run, self.link = run, Link(root / "link")
        self.store, self.checkpoints = EpisodeStore(root / "store"), root / "checkpoints"
        settings = ActorSettings(address=f"tcp://127.0.0.1:{port}", actor="robot1", keys=keys)
        self.actor = Actor(self.link, self.checkpoints, settings, SteadyClock())
        self._count = 0
        self.until(lambda: self.actor.health.connected)

    def until(self, done: Callable[[], bool]) -> None:
        """Let the actor work until the condition holds."""
        while not done():
            self.actor.step(0.002)

    def episode(self, data: np.ndarray) -> Notice:
        """Record an episode that holds the bytes."""
        self._count += 1
        name = f"b{self._count}"
        meta = EpisodeMeta(episode_id=name, task="bench", names=("a",))
        recording = start_recording(self.store, meta)
        pieces = np.array_split(data, max(1, len(data) // TRANSITION))
        for tick in range(3 * len(pieces)):
            stamp = START + to_ns(tick / 30.0)
            logged = recording.executed(
                stamp, tick=tick, epoch=1, authority=Authority.HUMAN, position=np.zeros(1)
            )
            if logged and pieces:
                recording.jpeg("top", logged, pieces.pop().tobytes())
        recording.finish("labelled")
        folder = self.store.path(name)
        sha256 = sha256_file(folder / "manifest.json")
        return Notice(episode_id=name, path=str(folder), sha256=sha256, task="bench")

    def upload(self, data: np.ndarray) -> float:
        """Return the time from the notice in the inbox to the acknowledgement."""
        notice, goal = self.episode(data), self.actor.health.stored + 1
        self.link.send(notice)
        begun = time.perf_counter()
        self.until(lambda: self.actor.health.stored == goal)
        taken = time.perf_counter() - begun
        shutil.rmtree(notice.path)
        return taken

    def publish(self, data: np.ndarray) -> tuple[float, float]:
        """Return the times from latest.json there to latest.json here, and of the transfer."""
        self._count += 1
        folder = self.run / "checkpoints" / f"v{self._count:06d}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        content = {"version": folder.name, "sha256": sha256, "size": len(data)}
        write_document(folder / "manifest.json", content)
        # As the learner does before it names a checkpoint; else the pointer's sync waits for it.
        fsync_all([folder / "model.safetensors", folder])
        begun = time.perf_counter()
        latest = {"version": folder.name, "path": str(folder), "sha256": sha256}
        write_document(folder.parent / "latest.json", latest)
        self.until(lambda: self.actor.health.download == folder.name or self._has(folder.name))
        seen = time.perf_counter()
        self.until(lambda: self._has(folder.name))
        end = time.perf_counter()
        shutil.rmtree(self.checkpoints / folder.name)
        shutil.rmtree(folder)
        return end - begun, end - seen

    def _has(self, version: str) -> bool:
        path = self.checkpoints / "latest.json"
        return path.exists() and version in path.read_text(encoding="utf-8")


def compare(names: dict[str, int], unit: int, repeat: int, methods: dict[str, Method]) -> None:
    """Print times and ratios to the raw copies, as medians over the turns."""
    noise = np.random.default_rng(0)
    yardsticks = [name for name in methods if not name.startswith("ours")]
    of = [f"{'times' if 'pickle' in name else 'of'} {name}" for name in yardsticks]
    print(f"| payload | method | ms, median | MB/s | {' | '.join(of)} |")
    print("|---" * (4 + len(of)) + "|")
    for name, count in names.items():
        data = np.frombuffer(noise.bytes(count * unit), np.uint8)
        turns: dict[str, list[float]] = {method: [] for method in methods}
        for _ in range(repeat):
            for method, send in methods.items():
                turns[method].append(send(data))
        for method, times in turns.items():
            took = statistics.median(times)
            ratios = [_ratio(turns[other], times) for other in yardsticks]
            row = [name, method, f"{1000 * took:.1f}", f"{len(data) / 1e6 / took:.0f}", *ratios]
            print(f"| {' | '.join(row)} |", flush=True)


def main() -> int:
    """Start the receivers and run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=12, help="of the part 'trainable'")
    parser.add_argument("--most", type=int, default=500, help="largest payload [MB]")
    parts = ("upload", "weights", "trainable", "active")
    parser.add_argument("--parts", nargs="+", default=list(parts), choices=parts)
    parser.add_argument("--folder", type=Path, help="where files go; /dev/shm leaves the disk out")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--keys", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        _serve(options)
        return 0
    with tempfile.TemporaryDirectory(prefix="transport-", dir=options.folder) as folder:
        if {"upload", "weights"} & set(options.parts):
            _measure(options, Path(folder))
        if "trainable" in options.parts:
            import _trainable

            _trainable.report(Path(folder), options.episodes)
        if "active" in options.parts:
            import _active

            _active.report(Path(folder), options.repeat, options.most)
    return 0


def _measure(options: argparse.Namespace, base: Path) -> None:
    keys = base / "keys"
    for name in ("learner", "robot1"):
        new_identity(keys, name)
    roles = ("raw", "raw+disk", "pickle", "pickle+log", "plain", "curve")
    ports = {role: _free_port() for role in roles}
    curve = ["--keys", str(keys)]
    children = [
        _start("raw" if role == "raw+disk" else role, port, base, words)
        for role, port in ports.items()
        for words in [curve if role == "curve" else []]
    ]
    try:
        plain = Ours(base / "robot", ports["plain"], base / "plain", None)
        secure = Ours(base / "robot+", ports["curve"], base / "curve", keys)
        raw: dict[str, Method] = {
            "raw": raw_method(ports["raw"], keep=False),
            "raw+disk": raw_method(ports["raw+disk"], keep=True),
        }
        small = {n: c for n, c in WEIGHTS.items() if c <= options.most}
        if "upload" in options.parts:
            few = {n: c for n, c in UPLOADS.items() if c * TRANSITION <= options.most * 1e6}
            uploads = raw | {
                "pickle+lz4": pickle_method(ports["pickle"], _transitions),
                "pickle+lz4+log": pickle_method(ports["pickle+log"], _transitions),
                "ours": plain.upload,
                "ours+curve": secure.upload,
            }
            compare(few, TRANSITION, options.repeat, uploads)
        if "weights" in options.parts:
            print("weights: 'ours' from the publication on, 'transfer' without the looking for it")
            weights = raw | {
                "pickle+lz4": pickle_method(ports["pickle"], lambda data: data),
                "ours": lambda data: plain.publish(data)[0],
                "ours transfer": lambda data: plain.publish(data)[1],
                "ours+curve transfer": lambda data: secure.publish(data)[1],
            }
            compare(small, 1_000_000, options.repeat, weights)
    finally:
        for child in children:
            child.kill()
            child.wait()


def _serve(options: argparse.Namespace) -> None:
    folder = options.folder
    if options.role == "raw":
        serve_raw(options.port, folder)
    elif options.role.startswith("pickle"):
        serve_pickle(options.port, log=options.role == "pickle+log")
    elif options.role == "learner":
        import _trainable

        _trainable.learn(folder)
    else:
        serve_link(options.port, folder / options.role, options.keys)


def _start(role: str, port: int, folder: Path, words: Sequence[str]) -> "subprocess.Popen[bytes]":
    line = [sys.executable, __file__, "--role", role, "--port", str(port), "--folder", str(folder)]
    return subprocess.Popen([*line, *words])


def _connect(port: int) -> socket.socket:
    while True:
        try:
            line = socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)
            continue
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line


def _transitions(data: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Cut bytes into transitions of three images and the rest."""
    images = 3 * _IMAGE[0] * _IMAGE[1] * _IMAGE[2]
    rows = data[: len(data) // TRANSITION * TRANSITION].reshape(-1, TRANSITION)
    return [
        {"images": row[:images].reshape(3, *_IMAGE), "rest": row[images:].view(np.float32)}
        for row in rows
    ]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _ratio(reference: Sequence[float], times: Sequence[float]) -> str:
    return f"{statistics.median(r / t for r, t in zip(reference, times, strict=True)):.2f}"


if __name__ == "__main__":
    sys.exit(main())
