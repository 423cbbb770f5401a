# SPDX-License-Identifier: Apache-2.0
"""Starts the training process under DeepSpeed's launcher, starts it again when it dies, and leaves
nothing behind.

Knows no torch: it starts in a moment and costs nothing while the learner runs.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from tempfile import NamedTemporaryFile
from typing import NoReturn

from hiors_core.clock import Clock, SteadyClock, to_ns
from hiors_core.errors import HiorsError, InvalidValue
from hiors_learner.places import CPU, HERE, LOOPBACK, Placement, place, visible_gpus
from hiors_link.server import Server

OWNER = "HIORS_OWNER_PID"
"""Environment variable: the learner ends when the process with this id does."""
REFUSED = 2
"""Exit code when the arguments or files are wrong: starting again would not help."""
NICE = 10
"""Priority given way on a machine without accelerator: the control loop runs on the same cores."""
_FOREIGN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSettings:
    """How the training process is kept alive.

    Attributes:
        patience: from SIGTERM to SIGKILL of the ranks [s].
        pause, longest_pause: before the first restart, and at most [s]; doubled each time.
    """

    patience: float = 2.5
    pause: float = 1.0
    longest_pause: float = 30.0


def command(
    arguments: Sequence[str], placement: Placement = HERE, port: int | None = None
) -> list[str]:
    """Return the command line that runs hiors_learner.train with these arguments under DeepSpeed's
    launcher.
    """
    runner = [sys.executable, "-m", "deepspeed.launcher.runner"]
    here, hosts = placement.layout, placement.hosts
    options = {
        "--master_addr": hosts[0].name if len(hosts) > 1 else LOOPBACK,
        "--master_port": str(port or _free_port()),
        "--hostfile": str(placement.hostfile or os.devnull),
        "--log_level": "error",
    }
    if not hosts and here.learners:
        options["--include"] = f"localhost:{','.join(here.learners)}"
    elif not hosts:
        options["--num_accelerators"] = str(here.ranks)
    elif hosts[0].slots > here.ranks:
        options["--exclude"] = f"{hosts[0].name}:{here.inference}"
    flat = [word for pair in options.items() for word in pair]
    if len(hosts) == 1:
        flat.append("--no_ssh_check")
    return [*runner, *flat, "--no_local_rank", "--module", "hiors_learner.train", *arguments]


def environment(
    base: Mapping[str, str] | None = None, placement: Placement = HERE
) -> dict[str, str]:
    """Return an environment for training: one thread a rank, no ranks of another job, sockets on
    the loopback or on the network that was asked for.
    """
    result = {k: v for k, v in (os.environ if base is None else base).items() if k not in _FOREIGN}
    result |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    result |= _shared(placement)
    result[OWNER] = str(os.getpid())
    return result


def _shared(placement: Placement) -> dict[str, str]:
    """Return what ranks on other machines need as well."""
    interface = placement.interface or "lo"
    names = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
    return {"DS_ACCELERATOR": placement.accelerator, **dict.fromkeys(names, interface)}


def _free_port() -> int:
    with socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class Supervisor:
    """Runs one command in a process group of its own, again and again until it ends well or is
    told to stop.
    """

    def __init__(
        self,
        make: Callable[[], list[str]],
        settings: LaunchSettings,
        clock: Clock,
        placement: Placement = HERE,
    ) -> None:
        """``make`` gives the command for each start: every start needs a free port."""
        self._make, self._settings, self._clock = make, settings, clock
        self._placement = placement
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def stop(self) -> None:
        """Ask for the end; may be called from a signal handler or another thread."""
        self._stop.set()

    def run(self) -> int:
        """Return 0 when the command ended well or was stopped, or its code when it was refused."""
        pause = self._settings.pause
        while not self._stop.is_set():
            began = self._clock.now()
            code = self._once()
            if code in (0, REFUSED) or self._stop.is_set():
                return 0 if self._stop.is_set() else code
            if self._clock.now() - began > to_ns(self._settings.longest_pause):
                pause = self._settings.pause
            print(f"the learner ended with code {code}; again in {pause:g} s", flush=True)
            self._stop.wait(pause)
            pause = min(2.0 * pause, self._settings.longest_pause)
        return 0

    def _once(self) -> int:
        self.starts += 1
        self._process = subprocess.Popen(
            self._make(),
            env=environment(placement=self._placement),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while self._process.poll() is None and not self._stop.wait(0.1):
                pass
        finally:
            self._end_group(self._process)
        return self._process.returncode

    def _end_group(self, process: "subprocess.Popen[bytes]") -> None:
        # Only the ranks have something to save. Launchers around them look for the ends of their
        # children once a second and, when signalled, leave them without a parent.
        self._signal(_ranks(process.pid), signal.SIGTERM)
        deadline = self._clock.now() + to_ns(self._settings.patience)
        while _ranks(process.pid) and self._clock.now() < deadline:
            self._clock.sleep_until(self._clock.now() + to_ns(0.02))
        while living := _living(process.pid):
            self._signal(living, signal.SIGKILL)
            self._clock.sleep_until(self._clock.now() + to_ns(0.02))
        process.wait()

    def _signal(self, processes: Sequence[int], number: signal.Signals) -> None:
        for one in processes:
            with suppress(ProcessLookupError):
                os.kill(one, number)


def _living(group: int) -> list[int]:
    """Return the processes of a group that run; a zombie whose parent never looks is none."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
                state, _, its_group = text.rpartition(")")[2].split()[:3]
                if int(its_group) == group and state not in "ZX":
                    found.append(int(folder.name))
    return found


def _ranks(group: int) -> list[int]:
    """Return the living processes of a group that a launcher started as ranks."""
    found = []
    for process in _living(group):
        with suppress(OSError):
            if b"\0RANK=" in b"\0" + Path(f"/proc/{process}/environ").read_bytes():
                found.append(process)
    return found


def main() -> int:
    """Run `python -m hiors_learner.launch [OPTIONS] ARGUMENTS OF hiors_learner.train`."""
    parser = argparse.ArgumentParser(
        prog="python -m hiors_learner.launch", add_help=False, allow_abbrev=False
    )
    parser.add_argument("--ranks", type=int)
    parser.add_argument("--hostfile", type=Path)
    parser.add_argument("--interface", default="")
    parser.add_argument("--listen", default="")
    parser.add_argument("--keys", type=Path)
    parser.add_argument("--run", type=Path)
    options, arguments = parser.parse_known_args()
    if options.run:
        arguments += ["--run", str(options.run)]
    clock = SteadyClock()
    try:
        if "TORCHELASTIC_RUN_ID" in os.environ:
            _become_rank(options, arguments)
        placement = place(visible_gpus(), options.ranks, options.hostfile, options.interface)
        door = _open_door(options, clock) if options.listen else nullcontext()
    except HiorsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return REFUSED
    _say(placement)
    supervisor = Supervisor(
        lambda: command(arguments, placement), LaunchSettings(), clock, placement
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    with door, _exported(placement):
        return supervisor.run()


def _become_rank(options: argparse.Namespace, arguments: Sequence[str]) -> NoReturn:
    """Become one of the ranks that torchrun starts, and starts again."""
    if options.listen or options.ranks or options.hostfile:
        names = "--listen, --ranks and --hostfile"
        raise InvalidValue(f"{names} do not go with torchrun, which starts the ranks itself")
    words = [sys.executable, "-m", "hiors_learner.train", *arguments]
    kind = "cuda" if visible_gpus() else CPU
    result = {**os.environ, "DS_ACCELERATOR": kind, "PYTHONUNBUFFERED": "1"}
    os.execve(words[0], words, result)  # noqa: S606


def _say(placement: Placement) -> None:
    here = placement.layout
    if placement.accelerator == CPU:
        os.nice(NICE)
        return
    shared = " as well" if here.inference in here.learners else ""
    print(f"GPU {', '.join(here.learners)} learn; GPU {here.inference} serves inference{shared}")


@contextmanager
def _exported(placement: Placement) -> Iterator[None]:
    """Let DeepSpeed's launcher set the same variables on the other hosts."""
    if len(placement.hosts) < 2:
        yield
        return
    content = {**_shared(placement), "OMP_NUM_THREADS": "1"}
    with NamedTemporaryFile("w", prefix="hiors-", suffix=".env") as file:
        file.writelines(f"{name}={value}\n" for name, value in content.items())
        file.flush()
        os.environ["DS_ENV_FILE"] = file.name
        yield


@contextmanager
def _serve(server: Server) -> Iterator[None]:
    # Robots are served here and not in the training process: that one may die and come back.
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,), name="robots", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=2.0)
        server.close()


def _open_door(options: argparse.Namespace, clock: Clock) -> AbstractContextManager[None]:
    if options.run is None:
        raise InvalidValue("--listen needs --run DIR: robots send episodes into a run")
    keys = options.keys.expanduser() if options.keys else None
    server = Server(options.run, options.listen, clock, keys)
    print(f"robots may join at {server.address} ({'with keys' if keys else 'this machine only'})")
    return _serve(server)


if __name__ == "__main__":
    sys.exit(main())
