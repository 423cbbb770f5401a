# SPDX-License-Identifier: Apache-2.0
"""CPU time of a control tick: ``python benchmarks/control_tick.py [--ticks N]``, no ROS needed."""

import argparse
import time
from pathlib import Path

import numpy as np

from hiors_core.action_space import ActionMapper, action_space
from hiors_core.arbiter import Arbiter
from hiors_core.authority import Request
from hiors_core.chunk import Chunk
from hiors_core.clock import NS
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import RobotModel, load_robot

ROBOT = Path(__file__).parents[1] / "config/robots/xtrainer.yaml"
DT = 0.1
HORIZON = 16


def tick_times(robot: RobotModel, kind: str, ticks: int) -> np.ndarray:
    """Return the CPU time of each tick [s] while a policy of this kind swings every joint."""
    arbiter, mapper = Arbiter(robot), ActionMapper(robot)
    space, period = action_space(robot, kind), round(NS / robot.control_rate_hz)
    start = now = NS
    arbiter.on_feedback(robot.home, now)
    arbiter.request(Request.POLICY, "bench", "", now)
    times = np.empty(ticks)
    for i in range(ticks):
        now += period
        arbiter.on_feedback(arbiter.command, now)
        if i % 10 == 0:
            phase = (now - start) / NS + DT * np.arange(1, HORIZON + 1)
            swing = robot.home + 0.1 * np.sin(phase)[:, None]
            chunk = Chunk(
                obs_stamp=now,
                sequence=i + 1,
                epoch=arbiter.epoch,
                policy_version="v000001",
                kind=kind,
                names=space.names,
                units=space.units,
                dt=DT,
                values=mapper.convert(np.clip(swing, -6.0, 6.0), kind),
            )
            if reason := arbiter.on_chunk(chunk, now):
                raise SystemExit(reason)
        begun = time.thread_time()
        arbiter.tick(now)
        times[i] = time.thread_time() - begun
    return times


def inverse_times(robot: RobotModel, calls: int) -> np.ndarray:
    """Return the CPU time of inverse kinematics [s] seeded about 0.02 rad away in each joint."""
    arm, rng = robot.arms[0], np.random.default_rng(0)
    kinematics, times = ArmKinematics(arm), np.empty(calls)
    for i in range(calls):
        q = arm.home + rng.normal(size=len(arm.home)) * 0.3
        pose, seed = kinematics.forward(q), q + rng.normal(size=len(q)) * 0.02
        begun = time.thread_time()
        kinematics.inverse(pose, seed)
        times[i] = time.thread_time() - begun
    return times


def show(name: str, times: np.ndarray) -> None:
    """Print one row [us]."""
    p50, p99 = np.percentile(times, (50, 99)) * 1e6
    print(f"{name:24s} {times.mean() * 1e6:8.0f} {p50:8.0f} {p99:8.0f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=3000)
    ticks = parser.parse_args().ticks
    print(f"{'[us]':24s} {'mean':>8s} {'p50':>8s} {'p99':>8s}")
    for arms in (["left"], None):
        robot = load_robot(ROBOT, arms)
        for kind in ("joint", "ee"):
            show(f"tick, {len(robot.arms)} arm(s), {kind}", tick_times(robot, kind, ticks))
    show("inverse kinematics", inverse_times(load_robot(ROBOT, ["left"]), ticks))


if __name__ == "__main__":
    main()
