# SPDX-License-Identifier: Apache-2.0
"""Task files: what is read, what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_core.robot import load_robot
from hiors_sim.task import load_sim_task

CONFIG = Path(__file__).parents[3] / "config"
TASK = CONFIG / "tasks" / "insert_moisturizer.yaml"


def changed(folder: Path, **values: Any) -> Path:
    data = yaml.safe_load(TASK.read_text(encoding="utf-8"))
    for path, value in values.items():
        part = data
        *parents, last = path.split("__")
        for key in parents:
            part = part[key]
        part[last] = value
    file = folder / "task.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


def test_the_packaged_task_fits_the_robot() -> None:
    task, scene = load_sim_task(TASK).task, load_sim_task(TASK).scene
    limits = load_robot(CONFIG / "robots" / "xtrainer.yaml").arm(task.arm).limits
    for center, size in (
        (scene.start_center, scene.start_size),
        (scene.hole_position, scene.start_size * 0),
    ):
        assert (center - size / 2 > limits.workspace_lower[:2]).all()
        assert (center + size / 2 < limits.workspace_upper[:2]).all()
    assert (task.f_low, task.f_high) == (2.5, 10.0)
    assert task.time_limit == 12.0
    assert task.instruction


def test_every_value_is_commented() -> None:
    for line in TASK.read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        value = rest.split("#")[0].strip()
        if value and name.strip() != "name" and not line.startswith("#"):
            assert "#" in rest, f"no comment: {line}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scene__hole__depht": 0.03}, "Did you mean 'depth'"),
        ({"time_limits": 3.0}, "Did you mean 'time_limit'"),
        ({"acceptance__m_1": 1.0}, "Unknown key 'm_1'"),
    ],
)
def test_unknown_keys_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        load_sim_task(changed(tmp_path, **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scene__hole__depth": 0.2}, "below plate.height"),
        ({"scene__plate__height": 0.2, "scene__hole__depth": 0.1}, "leave the box graspable"),
        ({"scene__start__center": [1.0, 1.0]}, "must lie on the plate"),
        ({"scene__box__size": [0.03, 0.03]}, "must be 3 numbers"),
        ({"scene__box__mass": "heavy"}, "must be a number"),
        ({"scene__hole__clearance": 0.0}, "clearance must be within"),
        ({"logging__f_high": 1.0}, "must be within 2.5"),
        ({"time_limit": float("nan")}, "must be within"),
        ({"objects": ["box"]}, r"must be \[box, hole\]"),
        ({"instruction": ""}, "printable text"),
        ({"logging": None}, "must be a mapping"),
    ],
)
def test_impossible_values_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        load_sim_task(changed(tmp_path, **change))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HiorsError, match=r"no_such\.yaml"):
        load_sim_task(tmp_path / "no_such.yaml")
