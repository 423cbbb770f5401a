# SPDX-License-Identifier: Apache-2.0
"""metrics.jsonl and TensorBoard: the arithmetic of speed, and what a crash has lost goes."""

import json
from pathlib import Path

import pytest
import torch
from learner_scene import robot

from hiors_core.clock import FakeClock
from hiors_learner import flops
from hiors_learner.metrics import Metrics, Work
from hiors_learner.pi0_objective import Pi0Objective
from hiors_learner.settings import MODES, LossSettings, TuningSettings
from hiors_learner.stopwatch import PHASES, Stopwatch

MS = 10**6


def spend(**milliseconds: float) -> dict[str, int]:
    return {phase: round(milliseconds.get(phase, 0.0) * MS) for phase in PHASES}


def fill(folder: Path, work: Work, steps: range, **options) -> list[dict]:
    clock = FakeClock(0)
    metrics = Metrics(folder, 4, clock, lambda: work, **options)
    metrics.begin(steps.start - 1)
    for step in steps:
        clock.advance(1.0)
        spent = spend(data=10, forward=20, backward=50, optimizer=20 + 100 * (step % 4 == 0))
        if step % 4 == 1:
            spent["save"] = 700 * MS
        metrics.add(step, float(step), 0.5, 1e-3, spent)
    metrics.close()
    text = (folder / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_the_arithmetic_of_its_window(tmp_path: Path):
    work = Work(samples=8, tokens=100, flops=1e9, peak=1e11)
    lines = fill(tmp_path, work, range(1, 9))
    assert len(lines) == 2
    line = lines[0]
    assert (line["step"], line["loss"]) == (4, 2.5)
    assert line["steps_per_s"] == 1.0, "with all that was waited for"
    busy = (3 * 0.1 + 0.2) / 4
    assert line["samples_per_s"] == pytest.approx(8 / busy, abs=0.01)
    assert line["tokens_per_s"] == pytest.approx(100 / busy, abs=0.1)
    assert line["mfu"] == pytest.approx(1e9 / busy / 1e11, abs=1e-4)
    assert line["step_ms_p50"] == 100.0
    assert [line[f"{p}_ms"] for p in ("data", "forward", "backward")] == [10.0, 20.0, 50.0]
    assert (line["optimizer_ms"], line["save_ms"]) == (45.0, 700.0)


def test_what_is_not_known_is_null(tmp_path: Path):
    line = fill(tmp_path, Work(samples=8, flops=1e9), range(1, 5))[0]
    assert line["mfu"] is None
    assert line["tokens_per_s"] is None


def test_tensorboard_shows_the_same_and_forgets_what_was_lost(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    work = Work(samples=8)
    fill(tmp_path, work, range(1, 13), tensorboard=True)
    fill(tmp_path, work, range(5, 9), tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [e.step for e in events.Scalars("train/loss")] == [4, 8]
    assert events.Scalars("speed/step_ms_p50")[0].value == pytest.approx(100.0)
    assert "speed/mfu" not in events.Tags()["scalars"]


def test_the_stopwatch_adds_up_phases():
    clock = FakeClock(0)
    watch = Stopwatch(clock, torch.device("cpu"))
    clock.advance(5.0)
    watch.start()
    for phase, seconds in (("data", 0.1), ("forward", 0.2), ("data", 0.3)):
        clock.advance(seconds)
        watch.lap(phase)
    assert watch.read() == spend(data=400, forward=200)
    assert watch.read() == spend()


@pytest.mark.parametrize("mode", MODES)
def test_the_formula_counts_what_pytorch_counts(mode: str):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from hiors_learner.data import empty
    from hiors_learner.losses import make_batch, tune
    from hiors_policy.pi0.tiny import tiny_policy

    policy = tiny_policy(robot(), ("top", "left_wrist"))
    tune(policy, TuningSettings(mode=mode, lora_rank=1, lora_expert_rank=1))
    rows = empty(policy, 4)
    rows.tokens[:, :6], rows.mask[:] = 2, True
    objective = Pi0Objective(policy, LossSettings())
    batch = make_batch(rows, LossSettings(samples=3), (0, 0), 0, 1)
    # Only products that are spelled out are counted on a CPU.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        objective(batch).backward()
    config = policy.model.config
    counted = flops.step(flops.forward(config, 2, 6, 3), mode, 4)
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.06)
    assert flops.tokens(config, 2, 6, 3) == 2 * config.image_tokens + 6 + 1 + 3 * 10
