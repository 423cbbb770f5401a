# SPDX-License-Identifier: Apache-2.0
"""The supervisor with small real processes: exit codes, restarts, and nothing left behind."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hiors import marks
from hiors import supervisor as supervisor_module
from hiors.supervisor import Command, Supervisor
from hiors_core.errors import HiorsError, StateError

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(2, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(600)"
)
IN_OWN_SESSION = (
    "import subprocess, sys, time;"
    f"subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], start_new_session=True);"
    "time.sleep(600)"
)


def python(name: str, code: str, *, required: bool = True, respawn: bool = False) -> Command:
    # -S -E: without site, a Python starts in a tenth of the time.
    argv = (sys.executable, "-S", "-E", "-c", code)
    return Command(name=name, argv=argv, required=required, respawn=respawn)


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.02)


class Lines(list[str]):
    """What was shown; with the question whether a process has spoken."""

    def said(self, name: str, text: str) -> bool:
        return any(line.startswith(f"[{name}") and text in line for line in self)


def mine(supervisor: Supervisor) -> list[int]:
    return [pid for child in supervisor._children for pid in marks.marked(child.mark)]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(3)", 3), ("pass", 0), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_a_required_process_ends_all_with_its_code(
    tmp_path: Path, code: str, expected: int
) -> None:
    supervisor = Supervisor([python("a", code), python("b", SLEEP)], tmp_path, Lines().append)
    supervisor.start()
    assert supervisor.run() == expected
    assert mine(supervisor) == []


def test_the_reason_is_the_last_thing_that_is_said(tmp_path: Path) -> None:
    noisy = (
        "import signal, sys, time;"
        "signal.signal(2, lambda *_: (print('Traceback', flush=True), sys.exit(1)));"
        "print('up', flush=True); time.sleep(600)"
    )
    picky = (
        "import time; time.sleep(1); print('InvalidValue: speed', flush=True); raise SystemExit(2)"
    )
    shown = Lines()
    commands = [python("b", noisy), python("a", picky)]
    supervisor = Supervisor(commands, tmp_path, shown.append)
    supervisor.start()
    assert supervisor.run() == 2
    assert shown.said("b", "Traceback")
    assert shown[-1] == "[a] ended first; its last line: InvalidValue: speed"


def test_a_process_that_is_not_required_may_end(tmp_path: Path) -> None:
    lines = Lines()
    commands = [python("a", "raise SystemExit(4)", required=False), python("b", SLEEP)]
    supervisor = Supervisor(commands, tmp_path, lines.append)
    supervisor.start()
    assert supervisor.run(until=lambda: lines.said("a", "exit code 4")) == 0


def test_a_dead_process_is_started_anew_with_growing_pauses(tmp_path: Path) -> None:
    lines, starts = Lines(), []
    supervisor = Supervisor(
        [python("a", "raise SystemExit(1)", required=False, respawn=True)],
        tmp_path,
        lines.append,
        on_start=lambda name, count: starts.append((name, count)),
    )
    supervisor.start()
    supervisor.run(until=lambda: lines.said("a", "anew in 2 s"))
    assert starts == [("a", 1), ("a", 2)]
    assert lines.said("a", "anew in 1 s")


def test_lines_are_shown_with_the_name_and_logged(tmp_path: Path) -> None:
    lines = Lines()
    supervisor = Supervisor([python("a", "print('one'); print('two')")], tmp_path, lines.append)
    supervisor.start()
    supervisor.run()
    assert lines[:2] == ["[a] one", "[a] two"]
    assert (tmp_path / "a.log").read_text() == "one\ntwo\n"


def test_stop_ends_what_ignores_signals_within_five_seconds(tmp_path: Path) -> None:
    lines = Lines()
    supervisor = Supervisor([python("a", STUBBORN), python("b", SLEEP)], tmp_path, lines.append)
    supervisor.start()
    wait_until(lambda: lines.said("a", "up") and lines.said("b", "up"))
    before = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - before < 5.0
    assert mine(supervisor) == []
    assert lines.said("a", "killed")
    assert not lines.said("b", "killed")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill soon what ignores signals."""
    monkeypatch.setattr(supervisor_module, "TERM_AFTER", 0.2)
    monkeypatch.setattr(supervisor_module, "KILL_AFTER", 0.4)


@pytest.mark.usefixtures("impatient")
def test_a_supervisor_that_was_held_up_still_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, after in (("TERM_AFTER", 0.1), ("KILL_AFTER", 0.2), ("GIVE_UP_AFTER", 0.0)):
        monkeypatch.setattr(supervisor_module, name, after)
    lines = Lines()
    supervisor = Supervisor([python("stubborn", STUBBORN)], tmp_path, lines.append)
    supervisor.start()
    wait_until(lambda: lines.said("stubborn", "up"))
    supervisor.stop()
    wait_until(lambda: mine(supervisor) == [])


def test_stop_finds_descendants_in_other_sessions(tmp_path: Path) -> None:
    supervisor = Supervisor([python("a", IN_OWN_SESSION)], tmp_path, Lines().append)
    supervisor.start()
    wait_until(lambda: len(mine(supervisor)) == 2)
    supervisor.stop()
    assert mine(supervisor) == []


@pytest.mark.usefixtures("impatient")
def test_orphans_of_a_dead_process_are_ended(tmp_path: Path) -> None:
    lines = Lines()
    commands = [python("a", IN_OWN_SESSION, required=False), python("b", SLEEP)]
    supervisor = Supervisor(commands, tmp_path, lines.append)
    supervisor.start()
    wait_until(lambda: len(mine(supervisor)) == 3)
    leader = supervisor._children[0].process
    assert leader is not None
    os.kill(leader.pid, signal.SIGKILL)
    supervisor.run(until=lambda: lines.said("a", "exit code 137"))
    assert mine(supervisor) == []


def test_if_one_cannot_be_started_none_stays(tmp_path: Path) -> None:
    missing = Command(name="b", argv=("/no/such/program",))
    supervisor = Supervisor([python("a", SLEEP), missing], tmp_path, Lines().append)
    with pytest.raises(HiorsError, match="Cannot start b"):
        supervisor.start()
    assert mine(supervisor) == []


def test_names_must_differ_and_start_is_once(tmp_path: Path) -> None:
    with pytest.raises(HiorsError, match="one name"):
        Supervisor([python("a", SLEEP), python("a", SLEEP)], tmp_path)
    supervisor = Supervisor([], tmp_path)
    supervisor.start()
    with pytest.raises(StateError):
        supervisor.start()


def test_marks_of_nested_supervisors_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(marks.VARIABLE, "outer")
    assert marks.with_mark("inner") == "outer inner"
