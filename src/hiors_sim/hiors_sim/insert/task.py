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
from hiors_sim.sim_task import SimTask

if TYPE_CHECKING:
    import mujoco

OBJECTS = ("box", "hole")


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertTask(SimTask):
    """A box, a hole, and the X-Trainer."""

    scene: InsertScene

    @property
    def start(self) -> NDArray[np.float64]:
        return np.array([*self.scene.start_center, self.scene.plate_height])

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
