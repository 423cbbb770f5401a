# SPDX-License-Identifier: Apache-2.0
"""The bench of teleop_bench, as fixtures; without ROS the tests that want it are skipped."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"


@pytest.fixture
def make_bench(ros: None, tmp_path: Path) -> Iterator[Callable[[list[str]], Any]]:
    """Make a bench with a driver of one's own in place of the simulated robot."""
    from teleop_bench import Bench

    benches: list[Bench] = []

    def make(driver: list[str]) -> Bench:
        benches.append(Bench(tmp_path, driver))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def bench(ros: None, tmp_path: Path) -> Iterator[Any]:
    from teleop_bench import Bench

    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def robot_file() -> Path:
    return ROBOT
