# SPDX-License-Identifier: Apache-2.0
"""What a new chunk goes on from, and when a new policy is ready to take over."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hiors_control.continuation import Sent, remainder
from hiors_control.readiness import Readiness
from hiors_core.authority import Authority
from hiors_core.clock import to_ns
from hiors_core.errors import InvalidValue
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import start_recording
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_policy.checkpoint import save_checkpoint
from hiors_policy.pi0.tiny import tiny_policy

ROBOT = load_robot(Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml", ["left"])
START = 1_700_000_000 * 10**9


def sent(took: float) -> Sent:
    return Sent(stamp=10**9, epoch=3, values=np.arange(10.0)[:, None], took=took)


def test_rows_are_matched_by_time_and_counted_by_the_last_inference():
    rows, delay = remainder(sent(0.25), 10**9 + to_ns(0.4), 3, 0.1)
    assert rows[:, 0].tolist() == [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    assert delay == 3


def test_a_slow_network_has_no_more_rows_than_are_left():
    rows, delay = remainder(sent(2.0), 10**9 + to_ns(0.8), 3, 0.1)
    assert (len(rows), delay) == (2, 2)


@pytest.mark.parametrize(
    ("last", "epoch", "after"), [(None, 3, 0.1), (sent(0.1), 4, 0.1), (sent(0.1), 3, 1.0)]
)
def test_nothing_is_continued_after_a_take_over_or_a_pause(last, epoch: int, after: float):
    assert remainder(last, 10**9 + to_ns(after), epoch, 0.1) is None


def record(root: Path) -> Path:
    store = EpisodeStore(root)
    meta = EpisodeMeta(
        episode_id="e1", task="t", robot="xtrainer", arms=("left",), names=ROBOT.names
    )
    recording = start_recording(store, meta)
    for tick in range(61):
        stamp = START + to_ns(tick / 30)
        position = ROBOT.home + 0.002 * tick
        position[-1] = 1.0
        recording.joint_state(stamp, position)
        recording.executed(stamp, tick=tick, epoch=1, authority=Authority.HUMAN, position=position)
    recording.finish("done")
    return root


def test_a_worse_checkpoint_is_refused_by_the_gate_and_a_like_one_is_not(tmp_path: Path):
    policy = tiny_policy(ROBOT)
    names = ("v000001", "v000002", "v000003")
    for step, name in enumerate(names, 1):
        if step == 2:
            with torch.no_grad():
                policy.model.native.action_out_proj.bias.add_(30.0)
        if step == 3:
            policy = tiny_policy(ROBOT)
        save_checkpoint(tmp_path / name, policy, version=name, step=step)
    store = str(record(tmp_path / "demos"))
    ready = Readiness(ROBOT, "go", device="cpu", rtc=True, noise=1.0, gate=store, ratio=1.2)
    current = ready.first(tmp_path / "v000001")
    with pytest.raises(InvalidValue, match=r"worse than the policy that serves.*1.2 times"):
        ready.next(tmp_path / "v000002", current)
    assert ready.next(tmp_path / "v000003", current).manifest.version == "v000003"


def test_a_gate_without_episodes_is_refused(tmp_path: Path):
    save_checkpoint(tmp_path / "v000001", tiny_policy(ROBOT), version="v000001", step=1)
    ready = Readiness(
        ROBOT, "go", device="cpu", rtc=False, noise=1.0, gate=str(tmp_path / "no"), ratio=1.2
    )
    with pytest.raises(InvalidValue, match="no episode store"):
        ready.first(tmp_path / "v000001")
