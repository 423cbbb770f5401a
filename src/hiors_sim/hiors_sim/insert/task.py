# SPDX-License-Identifier: Apache-2.0
"""The insertion as the simulator and the scripted operator know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_sim.insert.expert import InsertExpert
from hiors_sim.insert.judge import InsertJudge
from hiors_sim.insert.mjcf import add_scene
from hiors_sim.insert.props import InsertProps
from hiors_sim.insert.scene import InsertScene
from hiors_sim.insert.watcher import InsertWatcher
from hiors_sim.sim_task import CLEARANCE, SimTask

if TYPE_CHECKING:
    import mujoco

OBJECTS = ("box", "hole")


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertTask(SimTask):
    """A box, a hole, and the X-Trainer."""

    scene: InsertScene

    def in_the_way(self, tool: NDArray[np.float64]) -> bool:
        scene = self.scene
        beside = np.abs(tool[:2] - scene.start_center) - scene.start_size / 2
        top = scene.plate_height + scene.box_size[2]
        return bool(np.all(beside < CLEARANCE) and tool[2] - top < CLEARANCE)

    def build(self, root: ET.Element, world: ET.Element) -> None:
        add_scene(root, world, self.scene)

    def props(self, model: mujoco.MjModel) -> InsertProps:
        return InsertProps(model, self.scene)

    def judge(self) -> InsertJudge:
        return InsertJudge(self.scene)

    def expert(self, rng: np.random.Generator) -> InsertExpert:
        return InsertExpert(self.scene, rng)

    def watcher(self) -> InsertWatcher:
        return InsertWatcher(InsertJudge(self.scene))
