# SPDX-License-Identifier: Apache-2.0
"""Starts processes, passes on what they say, and ends them all within 5 s. Knows nothing of ROS.

Each process leads a group of its own, so that a Ctrl-C in the terminal reaches the supervisor
alone and the order of ending is the supervisor's: SIGINT to the groups, then SIGTERM and SIGKILL
to all descendants. Not for several threads.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hiors import marks
from hiors_core.errors import HiorsError, StateError

TERM_AFTER = 2.5
"""From SIGINT to SIGTERM [s]."""
KILL_AFTER = 4.0
"""From SIGINT to SIGKILL [s]."""
PERIOD = 0.05
"""How often the processes are looked at [s]."""
GIVE_UP_AFTER = 4.8
"""From SIGINT to the end of waiting, for a process that not even SIGKILL ends [s]."""
STABLE_AFTER = 30.0
"""A process that lived this long [s] starts its next pause from the shortest."""
LONGEST_PAUSE = 16.0
"""Longest pause before a restart [s]; the first is 1 s, each next twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process to run. Required: all end when it ends. Respawn: started anew when it ends."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    required: bool = True
    respawn: bool = False


class _Child:
    """One command and the process that runs it at present."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.reader: threading.Thread | None = None
        self.group = 0
        self.started_at = 0.0
        self.restart_at: float | None = None
        self.deaths = 0
        self.last_line = ""
        self.mark = f"{os.getpid()}.{time.monotonic_ns()}.{command.name}"


class Supervisor:
    """Runs commands until a required one ends or somebody stops it.

    Args:
        commands: names must differ; each gets a log file ``<name>.log`` in ``log_dir``.
        show: takes one line of a process, with its name before it.
        on_start: is told each time a process has been started (name, how many starts so far).
    """

    def __init__(
        self,
        commands: Sequence[Command],
        log_dir: Path,
        show: Callable[[str], None] = lambda line: print(line, flush=True),
        on_start: Callable[[str, int], None] = lambda _name, _count: None,
    ) -> None:
        names = [command.name for command in commands]
        if len(set(names)) != len(names):
            raise HiorsError(f"Two processes have one name: {', '.join(sorted(names))}.")
        self._children = [_Child(command) for command in commands]
        self._log_dir = log_dir
        self._show = show
        self._on_start = on_start
        self._width = max((len(name) for name in names), default=0)
        self._started = False
        self._cause: _Child | None = None

    def start(self) -> None:
        """Start every process; if one cannot be started, end those that were."""
        if self._started:
            raise StateError("The supervisor was started already.")
        self._started = True
        self._log_dir.mkdir(parents=True, exist_ok=True)
        try:
            for child in self._children:
                self._launch(child)
        except BaseException:
            self.stop()
            raise

    def step(self) -> int | None:
        """Look at every process once; return the exit code when a required one has ended."""
        for child in self._children:
            code = self._look(child)
            if code is not None:
                return code
        return None

    def run(self, until: Callable[[], bool] = lambda: False) -> int:
        """Step until a required process ends (its code) or ``until`` holds (0); stop all."""
        try:
            while not until():
                code = self.step()
                if code is not None:
                    return code
                time.sleep(PERIOD)
            return 0
        finally:
            self.stop()

    def stop(self) -> None:
        """End every process with all its descendants, in at most 5 s. May be called again."""
        began = time.monotonic()
        stages = [(0.0, signal.SIGINT), (TERM_AFTER, signal.SIGTERM), (KILL_AFTER, signal.SIGKILL)]
        # A supervisor that was itself stopped for a while still goes through every stage.
        while (living := self._living()) and (stages or time.monotonic() - began < GIVE_UP_AFTER):
            if stages and time.monotonic() - began >= stages[0][0]:
                self._signal_all(living, stages.pop(0)[1])
            time.sleep(PERIOD)
        for child in self._children:
            if child.reader:
                child.reader.join(timeout=0.2)
            if child.process is not None:
                # One that ended between the last two looks is still to be reaped.
                child.process.poll()
        if self._cause:
            # What the others said while they were ended stands between the reason and the prompt.
            cause = self._cause
            self._say(cause.command.name, f"ended first; its last line: {cause.last_line}")
            self._cause = None

    def _launch(self, child: _Child) -> None:
        command = child.command
        try:
            child.process = subprocess.Popen(
                command.argv,
                env={
                    **os.environ,
                    "PYTHONUNBUFFERED": "1",
                    **command.env,
                    marks.VARIABLE: marks.with_mark(child.mark),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise HiorsError(
                f"Cannot start {command.name} ({command.argv[0]}): {error}"
            ) from error
        child.group = child.process.pid
        child.started_at = time.monotonic()
        child.restart_at = None
        pipe = child.process.stdout
        child.reader = threading.Thread(
            target=self._pass_on,
            args=(child, pipe),
            name=f"log-{command.name}",
            daemon=True,
        )
        child.reader.start()
        self._on_start(command.name, child.deaths + 1)

    def _look(self, child: _Child) -> int | None:
        now = time.monotonic()
        if child.restart_at is not None and now >= child.restart_at:
            self._launch(child)
        if child.process is None or (status := child.process.poll()) is None:
            return None
        marks.send(marks.marked(child.mark), signal.SIGKILL)
        child.process = None
        return self._ended(child, 128 - status if status < 0 else status, now)

    def _ended(self, child: _Child, code: int, now: float) -> int | None:
        command = child.command
        if command.required:
            self._say(command.name, f"ended with exit code {code}; it is required: ending all.")
            self._cause = child if code else None
            return code
        if not command.respawn:
            self._say(command.name, f"ended with exit code {code}.")
            return None
        child.deaths = 1 if now - child.started_at > STABLE_AFTER else child.deaths + 1
        pause = min(2.0 ** (child.deaths - 1), LONGEST_PAUSE)
        child.restart_at = now + pause
        self._say(command.name, f"ended with exit code {code}; starting it anew in {pause:.0f} s.")
        return None

    def _living(self) -> dict[str, list[int]]:
        living = {}
        for child in self._children:
            child.restart_at = None
            if child.process is not None and child.process.poll() is not None:
                child.process = None
            if found := marks.marked(child.mark):
                living[child.command.name] = found
        return living

    def _say(self, name: str, text: str) -> None:
        self._show(f"[{name:<{self._width}}] {text}")

    def _signal_all(self, living: Mapping[str, Sequence[int]], number: signal.Signals) -> None:
        groups = {child.command.name: child.group for child in self._children}
        for name, processes in living.items():
            if number is signal.SIGKILL:
                self._say(name, f"did not end within {KILL_AFTER} s: killed.")
            if number is signal.SIGINT:
                # A launcher ends workers in sessions of their own itself, in its own order.
                marks.send_group(groups[name], number)
            else:
                marks.send(processes, number)

    def _pass_on(self, child: _Child, pipe: IO[bytes]) -> None:
        name = child.command.name
        with pipe, (self._log_dir / f"{name}.log").open("ab") as log:
            for line in pipe:
                log.write(line)
                log.flush()
                child.last_line = line.decode("utf-8", errors="replace").rstrip()
                with contextlib.suppress(BrokenPipeError):
                    self._say(name, child.last_line)
