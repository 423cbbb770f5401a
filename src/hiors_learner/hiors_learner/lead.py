# SPDX-License-Identifier: Apache-2.0
"""What rank 0 decides: which command comes next, when to publish, what to report. Owns the files
of the run.
"""

import itertools
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from select import select

from hiors_core.checkpoints import make_room
from hiors_core.clock import Clock, to_ns
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.store import EpisodeStore
from hiors_learner.arguments import Arguments
from hiors_learner.data import SampleReader, Samples
from hiors_learner.ingest import Entry, Ingest, Taken, successes
from hiors_learner.intake import Intake
from hiors_learner.launch import OWNER
from hiors_learner.learner import Learner
from hiors_learner.metrics import Metrics
from hiors_learner.publisher import Publisher, newest_published
from hiors_learner.schedule import step_budget
from hiors_learner.status import State, Status, StatusFile
from hiors_learner.team import Command
from hiors_learner.training_set import DEMONSTRATION, ONLINE

KINDS = (DEMONSTRATION, ONLINE)
_IDLE = 0.02
"""Between two looks for something to do [s]."""


class OnlineLead:
    """Decides for a learner beside a running graph."""

    def __init__(
        self,
        run: Path,
        demos: Path | None,
        learner: Learner,
        reader: SampleReader,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        self._learner, self._publisher, self._clock = learner, publisher, clock
        self._settings = learner.settings
        self._checkpoints = run / "checkpoints"
        self._checkpoints.mkdir(parents=True, exist_ok=True)
        self._ingest = Ingest(run / "link", reader, clock)
        self._known: Iterator[Taken] = self._first(demos or run / "demos")
        self._intake = Intake(self._ingest)
        self._status = StatusFile(run / "link" / "status.json", clock)
        self._metrics = _metrics(run / "learner", learner, clock)
        self._published = self._saved = 0
        self._checkpoint, self._newest_step = newest_published(self._checkpoints)
        self._ids: dict[str, list[str]] = {kind: [] for kind in KINDS}
        self._robots: dict[str, int] = {}
        self.pending: Samples | None = None
        self.stop = Interruption()

    @property
    def state_folder(self) -> Path:
        """Where the state to resume from is kept."""
        return self._checkpoints / "training"

    def decide(self) -> tuple[Command, int]:
        """Return the next command for all ranks and its value."""
        new = self._learner.engine.steps - self._published
        if new >= self._settings.output.publish_every:
            self._publish()
        if self.stop:
            self._intake.close()
            return (Command.SAVE, 0) if self._unsaved else (Command.STOP, 0)
        taken = self._next_item()
        if taken is not None:
            self.pending = taken.samples
            self._ids[taken.entry.kind].append(taken.entry.episode_id)
            return Command.DATA, self._place(taken.entry)
        if self._unsaved >= self._settings.output.save_every:
            return Command.SAVE, 0
        if lacking := self._learner.lacking:
            return self._idle(State.WAITING, lacking)
        budget = step_budget(self._learner.rows[ONLINE], self._settings.pacing)
        if self._learner.engine.steps >= budget:
            if new >= self._settings.output.publish_paced:
                self._publish()
            return self._idle(State.PACED, f"{budget} steps are paid for by the data so far")
        self.report(State.TRAINING)
        return Command.STEP, 0

    def stepped(self, loss: float) -> None:
        """Note a step that was done."""
        engine = self._learner.engine
        spent = engine.watch.read()
        self._metrics.add(engine.steps, loss, engine.gradient_norm, engine.learning_rate, spent)

    def begin(self) -> None:
        """Note what is on the disk of the steps so far, after a state was resumed or not."""
        self._saved = self._learner.engine.steps
        # Steps that a crash has lost are done again before anything newer is published.
        self._published = self._newest_step
        self._metrics.begin(self._saved)

    def saved(self) -> None:
        """Note that the state is on the disk."""
        self._saved = self._learner.engine.steps

    def end(self) -> None:
        """Finish what is being written."""
        self._metrics.close()

    def report(self, state: State, message: str = "") -> None:
        """Write status.json if it is time to."""
        rows = self._learner.rows
        refused = f"{self._ingest.refused} episodes refused, see link/refused. "
        self._status.write(
            Status(
                state=state,
                message=(refused if self._ingest.refused else "") + message,
                step=self._learner.engine.steps,
                loss=self._metrics.loss,
                learning_rate=self._learner.engine.learning_rate,
                demonstrations=len(self._ids[DEMONSTRATION]),
                episodes=len(self._ids[ONLINE]),
                refused=self._ingest.refused,
                transitions=sum(rows.values()),
                samples_per_s=self._metrics.steps_per_s * self._settings.data.batch_size,
                checkpoint=self._checkpoint,
                episode_ids=tuple(self._ids[ONLINE]),
                robots=self._robots,
            )
        )

    @property
    def _unsaved(self) -> int:
        return self._learner.engine.steps - self._saved

    def _first(self, demos: Path) -> Iterator[Taken]:
        known = self._ingest.restore()
        shown = self._ingest.demonstrations(demos) if demos.is_dir() else iter(())
        return itertools.chain(known, shown)

    def _place(self, entry: Entry) -> int:
        """Return 0 for a demonstration, or the number of robot and task from 1 on."""
        if entry.kind == DEMONSTRATION:
            return 0
        name = f"{entry.actor or 'local'}/{entry.task}"
        self._robots[name] = self._robots.get(name, 0) + 1
        return 1 + list(self._robots).index(name)

    def _next_item(self) -> Taken | None:
        return next(self._known, None) or self._intake.next()

    def _idle(self, state: State, message: str) -> tuple[Command, int]:
        self.report(state, message)
        self._clock.sleep_until(self._clock.now() + to_ns(_IDLE))
        return Command.IDLE, 0

    def _publish(self) -> None:
        engine = self._learner.engine
        ids = [i for kind in KINDS for i in self._ids[kind]]
        manifest = self._publisher.publish(self._checkpoints, engine.average, engine.steps, ids)
        self._checkpoint, self._published = manifest.version, engine.steps
        make_room(self._checkpoints, int(self._settings.output.checkpoint_limit_gib * 2**30))


class OfflineLead:
    """Decides for a learner that trains on demonstrations only and writes one checkpoint."""

    def __init__(
        self,
        arguments: Arguments,
        learner: Learner,
        reader: SampleReader,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        if arguments.demos is None or arguments.out is None or arguments.steps is None:
            raise InvalidValue("offline training needs demos, out and steps")
        store = EpisodeStore(arguments.demos)
        self._ids = successes(store)
        if not self._ids:
            raise HiorsError(f"No demonstration in {arguments.demos} is labelled a success")
        self._source = ((i, reader.read(store.path(i))) for i in self._ids)
        self._learner, self._publisher = learner, publisher
        self._out, self._steps = arguments.out, arguments.steps
        self._metrics = _metrics(None, learner, clock)
        self.pending: Samples | None = None
        self.stop = Interruption()

    @property
    def state_folder(self) -> Path | None:
        """Offline training is short and starts anew."""
        return None

    def decide(self) -> tuple[Command, int]:
        """Return the next command for all ranks and its value."""
        if self.stop:
            return Command.STOP, 0
        item = next(self._source, None)
        if item is not None:
            self.pending = item[1]
            return Command.DATA, KINDS.index(DEMONSTRATION)
        if self._learner.engine.steps < self._steps:
            return Command.STEP, 0
        version = self._out.name
        average = self._learner.engine.average
        self._publisher.write(self._out, version, average, self._steps, self._ids)
        return Command.STOP, 0

    def stepped(self, loss: float) -> None:
        """Note a step that was done, and say so now and then."""
        engine = self._learner.engine
        spent = engine.watch.read()
        self._metrics.add(engine.steps, loss, engine.gradient_norm, engine.learning_rate, spent)
        if engine.steps % self._learner.settings.output.log_every == 0:
            line = f"step {engine.steps}/{self._steps} loss {self._metrics.loss:.4f}"
            print(f"{line} {self._metrics.steps_per_s:.1f} steps/s", flush=True)

    def begin(self) -> None:
        """Nothing was left by a run before."""

    def saved(self) -> None:
        """Nothing is saved."""

    def end(self) -> None:
        """Nothing is left to be written."""

    def report(self, state: State, message: str = "") -> None:
        """Nothing is reported."""


def _metrics(folder: Path | None, learner: Learner, clock: Clock) -> Metrics:
    chosen = learner.settings.output
    return Metrics(folder, chosen.log_every, clock, learner.work, tensorboard=chosen.tensorboard)


class Interruption:
    """True once SIGINT or SIGTERM arrived, or the owner of this process is gone."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._owner: int | None = None
        if owner := os.environ.get(OWNER):
            try:
                self._owner = os.pidfd_open(int(owner))
            except (OSError, ValueError):
                self._event.set()
        with suppress(ValueError):
            # Outside the main thread, as in tests, signals are somebody else's.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: self._event.set())

    def __bool__(self) -> bool:
        if self._owner is not None and select([self._owner], [], [], 0.0)[0]:
            self._event.set()
        return self._event.is_set()

    def set(self) -> None:
        """Ask for the end."""
        self._event.set()
