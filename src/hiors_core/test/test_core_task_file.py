# SPDX-License-Identifier: Apache-2.0
"""Task files that are variants of another, and what a task says about robot and actions."""

from pathlib import Path

import pytest

from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_core.robot import load_robot
from hiors_core.task import load_task

CONFIG = Path(__file__).parents[3] / "config"
TASKS = sorted((CONFIG / "tasks").glob("*.yaml"))


def variant(folder: Path, text: str) -> Path:
    base = (CONFIG / "tasks" / "insert_moisturizer.yaml").read_text(encoding="utf-8")
    (folder / "base.yaml").write_text(base, encoding="utf-8")
    file = folder / "variant.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("file", TASKS, ids=lambda file: file.stem)
def test_every_task_fits_a_robot_of_ours(file: Path) -> None:
    task = load_task(file)
    assert task.name == file.stem
    assert task.action_space in ("joint", "ee")
    load_robot(CONFIG / "robots" / f"{task.robot}.yaml").arm(task.arm)


def test_a_variant_says_only_what_is_different(tmp_path: Path) -> None:
    text = "base: base.yaml\nname: other\nscene: {hole: {depth: 0.02}}\nlogging: {f_low: 1.0}\n"
    base, other = (
        load_task(variant(tmp_path, text).parent / "base.yaml"),
        load_task(tmp_path / "variant.yaml"),
    )
    assert (other.name, other.f_low, other.f_high) == ("other", 1.0, base.f_high)
    assert other.scene["hole"] == {**base.scene["hole"], "depth": 0.02}
    assert other.instruction == base.instruction


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("base: ../base.yaml\n", InvalidValue, "in the same folder"),
        ("base: variant.yaml\n", InvalidValue, "that has no base itself"),
        ("base: none.yaml\n", HiorsError, "Cannot read the task file"),
        ("base: base.yaml\nnames: x\n", UnknownName, "Did you mean 'name'"),
        ("base: base.yaml\naction_space: joints\n", UnknownName, "Did you mean 'joint'"),
        ("base: base.yaml\nrobot: ''\n", InvalidValue, "robot must be a printable text"),
    ],
)
def test_wrong_variants_are_refused(
    tmp_path: Path, text: str, error: type[HiorsError], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_task(variant(tmp_path, text))
