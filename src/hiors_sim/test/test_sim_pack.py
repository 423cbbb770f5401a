# SPDX-License-Identifier: Apache-2.0
"""Packing: the belt that runs, and what counts as packed."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from hiors_core.authority import Authority
from hiors_core.errors import InvalidValue
from hiors_core.robot import load_robot
from hiors_sim.angles import upright
from hiors_sim.pack.judge import PackJudge
from hiors_sim.pack.task import PackTask
from hiors_sim.scene_view import SceneView
from hiors_sim.simulation import RobotSim
from hiors_sim.task import load_sim_task

Array = NDArray[np.float64]
CONFIG = Path(__file__).parents[3] / "config"
TASK = CONFIG / "tasks" / "pack_detergent.yaml"


@pytest.fixture(scope="module")
def task() -> PackTask:
    loaded = load_sim_task(TASK)
    assert isinstance(loaded, PackTask)
    return loaded


@pytest.fixture(scope="module")
def sim(task: PackTask) -> RobotSim:
    return RobotSim(load_robot(CONFIG / "robots" / "tora_one.yaml", ["left"]), task)


def settle(sim: RobotSim, task: PackTask, dx: float, dy: float, above: float) -> Array:
    """Put the bottle beside the box's middle, ``above`` its floor, and let it come to rest."""
    sim.reset(0)
    x, y, z = sim.state().objects["box"][:3]
    sim.place("bottle", upright(x + dx, y + dy, z + task.scene.half + above))
    sim.step(0.6)
    return sim.state().objects["bottle"]


def test_the_belt_carries_the_bottle_at_a_speed_by_seed(sim: RobotSim, task: PackTask) -> None:
    speeds = []
    for seed in range(6):
        sim.reset(seed)
        before = sim.state().objects["bottle"]
        sim.step(1.0)
        after = sim.state().objects["bottle"]
        speeds.append(before[1] - after[1])
        np.testing.assert_allclose(after[[0, 2]], before[[0, 2]], atol=2e-3)
    slow, fast = task.scene.belt_speed
    assert min(speeds) > 0.95 * slow
    assert max(speeds) < 1.05 * fast
    assert np.ptp(speeds) > 0.003


def test_a_bottle_that_is_missed_is_lost(sim: RobotSim, task: PackTask) -> None:
    sim.reset(0)
    x, y = task.scene.belt_center[0], task.scene.reach_lower[1] + 0.02
    sim.place("bottle", upright(x, y, task.scene.belt_height + task.scene.half))
    assert not sim.failed()
    sim.step(1.0)
    assert sim.failed()


def test_a_bottle_stands_in_the_box(sim: RobotSim, task: PackTask) -> None:
    settle(sim, task, 0.02, -0.03, 0.02)
    assert sim.success()
    sim.set_gripper(0.0)
    sim.step(0.6)
    assert not sim.success(), "the gripper must be open"


@pytest.mark.parametrize(
    ("dx", "dy", "above"),
    [(0.0, 0.17, 0.0), (-0.105, 0.0, 0.125), (0.0, 0.0, 0.2)],
    ids=["beside", "on the rim", "in the air"],
)
def test_a_bottle_elsewhere_is_a_failure(
    sim: RobotSim, task: PackTask, dx: float, dy: float, above: float
) -> None:
    sim.reset(0)
    x, y, z = sim.state().objects["box"][:3]
    bottle = upright(x + dx, y + dy, z + task.scene.half + above)
    if above == 0.2:
        judge, tool = PackJudge(task.scene), upright(x, y, z + 0.5)
        assert not judge.packed(bottle, upright(x, y, z), tool, 1.0)
        return
    settle(sim, task, dx, dy, above)
    assert not sim.success()


def test_a_hand_that_still_holds_has_not_packed(task: PackTask) -> None:
    judge = PackJudge(task.scene)
    box = upright(0.25, 0.2, task.scene.floor)
    bottle = upright(0.25, 0.2, task.scene.floor + task.scene.half)
    near, far = bottle + 0.0, bottle + 0.0
    near[2] += 0.05
    far[2] += 0.12
    assert judge.packed(bottle, box, far, 1.0)
    assert not judge.packed(bottle, box, near, 1.0)
    assert not judge.packed(bottle, box, far, 0.2)


def test_a_watcher_sees_the_bottle_get_away(task: PackTask) -> None:
    watcher, scene = task.watcher(), task.scene
    said = []
    for k in range(60):
        bottle = upright(0.44, 0.2 - 0.002 * k, scene.belt_height + scene.half)
        view = SceneView(
            stamp=int(1e9 * k / 30),
            tool=upright(0.3, 0.3 + 0.005 * k, -0.2),
            gripper=1.0,
            objects={"bottle": bottle, "box": upright(0.25, 0.2, scene.floor)},
            authority=Authority.POLICY,
        )
        said.append(watcher.look(view))
    assert said[10] == ""
    assert said[-1] == "the bottle is getting away"


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("belt", "speed", [0.06, 0.05], "slowest <= fastest"),
        ("belt", "height", -0.6, "above table.height"),
        ("bottle", "cap_radius", 0.06, "between closed and open fingers"),
        ("start", "center", [0.6, 0.4], "must lie on the belt"),
        ("box", "size", [0.05, 0.2, 0.1], "room for the bottle"),
        ("reach", "lower", [0.7, 0.0], "every lower must be below upper"),
    ],
)
def test_impossible_scenes_are_refused(
    tmp_path: Path, part: str, key: str, value: object, message: str
) -> None:
    data = yaml.safe_load(TASK.read_text(encoding="utf-8"))
    data["scene"][part][key] = value
    file = tmp_path / "task.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(InvalidValue, match=message):
        load_sim_task(file)
