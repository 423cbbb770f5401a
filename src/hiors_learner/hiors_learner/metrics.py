# SPDX-License-Identifier: Apache-2.0
"""How training goes and how fast: lines of metrics.jsonl, and the same as TensorBoard's events."""

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hiors_core.clock import Clock, to_s
from hiors_core.errors import HiorsError
from hiors_learner.stopwatch import PHASES

TENSORBOARD = "tensorboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one step of all ranks is.

    Attributes:
        samples: transitions. tokens: of all transitions and flow samples, and flops: of a step
            (hiors_learner.flops); None where they are not known.
        peak: floating point operations that all devices could do [1/s], None when not known.
    """

    samples: int
    tokens: int | None = None
    flops: float | None = None
    peak: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of metrics.jsonl: a window of steps.

    Attributes:
        step: the newest. loss: mean of the window, on rank 0. gradient_norm: of the newest step,
            before clipping. learning_rate: of the next step.
        steps_per_s: over all time, with what was waited for data [1/s].
        samples_per_s, tokens_per_s: while steps are done [1/s]; tokens of a pi0 only.
        mfu: model FLOPs utilisation, FLOPs of the model over those that the devices could have
            done in the time of the steps; null where output.peak_tflops is not set.
        step_ms_p50: median time of a step [ms].
        data_ms, forward_ms, backward_ms, optimizer_ms: mean of a step [ms]; the gradients are
            exchanged in backward, the new weights in optimizer. save_ms: of the whole window [ms].
        stamp_ns: when it was written.
    """

    step: int
    loss: float
    gradient_norm: float
    learning_rate: float
    steps_per_s: float
    samples_per_s: float
    tokens_per_s: float | None
    mfu: float | None
    step_ms_p50: float
    data_ms: float
    forward_ms: float
    backward_ms: float
    optimizer_ms: float
    save_ms: float
    stamp_ns: int


class Metrics:
    """Sums up steps; one line for each window."""

    def __init__(
        self,
        folder: Path | None,
        window: int,
        clock: Clock,
        work: Callable[[], Work],
        *,
        tensorboard: bool = False,
    ) -> None:
        """``work`` is asked for each line: it may grow with the data."""
        self._folder, self._window, self._clock, self._work = folder, window, clock, work
        self._tensorboard = tensorboard
        self._events: Any = None
        self._losses: list[float] = []
        self._spent: list[Mapping[str, int]] = []
        self._since = clock.now()
        self.loss: float | None = None
        self.steps_per_s = 0.0

    def begin(self, step: int) -> None:
        """Open the files; what TensorBoard has beyond ``step`` was lost in a crash."""
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._tensorboard:
                self._events = _writer(self._folder / TENSORBOARD, step)

    def add(
        self,
        step: int,
        loss: float,
        gradient_norm: float,
        learning_rate: float,
        spent: Mapping[str, int],
    ) -> None:
        """Take one step in, with the time of its phases [ns]; write a line when the window is
        full.
        """
        self._losses.append(loss)
        self._spent.append(spent)
        self.loss = statistics.fmean(self._losses)
        if len(self._losses) < self._window:
            return
        line = self._line(step, gradient_norm, learning_rate)
        self.steps_per_s, self._since = line.steps_per_s, line.stamp_ns
        self._losses, self._spent = [], []
        if self._folder:
            with (self._folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(line)) + "\n")
        if self._events:
            _add_events(self._events, line)

    def close(self) -> None:
        """Bring what TensorBoard has not written yet to the disk."""
        if self._events:
            self._events.close()

    def _line(self, step: int, gradient_norm: float, learning_rate: float) -> Line:
        count, work, now = len(self._spent), self._work(), self._clock.now()
        total = {phase: sum(one[phase] for one in self._spent) for phase in PHASES}
        steps = [sum(one[p] for p in PHASES if p != "save") for one in self._spent]
        busy = max(to_s(sum(steps)), 1e-9)
        speed = count / busy
        known = work.flops is not None and work.peak is not None
        return Line(
            step=step,
            loss=statistics.fmean(self._losses),
            gradient_norm=gradient_norm,
            learning_rate=learning_rate,
            steps_per_s=round(count / max(to_s(now - self._since), 1e-9), 2),
            samples_per_s=round(speed * work.samples, 2),
            tokens_per_s=None if work.tokens is None else round(speed * work.tokens, 1),
            mfu=round(speed * work.flops / work.peak, 4) if known else None,  # type: ignore[operator]
            step_ms_p50=_ms(statistics.median(steps)),
            **{f"{p}_ms": _ms(total[p] / count) for p in PHASES if p != "save"},
            save_ms=_ms(total["save"]),
            stamp_ns=now,
        )


def _ms(nanoseconds: float) -> float:
    return round(nanoseconds / 1e6, 3)


def _writer(folder: Path, step: int) -> Any:
    # Once at the start and on rank 0 only: the import takes a second.
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise HiorsError(
            f"output.tensorboard needs the package tensorboard ({error}): install it, or set"
            " output.tensorboard to false"
        ) from error
    return SummaryWriter(str(folder), purge_step=step + 1, flush_secs=10)


def _add_events(writer: Any, line: Line) -> None:
    groups = {"loss": "train", "gradient_norm": "train", "learning_rate": "train"}
    for name, value in asdict(line).items():
        if name not in ("step", "stamp_ns") and value is not None:
            writer.add_scalar(f"{groups.get(name, 'speed')}/{name}", value, line.step)
