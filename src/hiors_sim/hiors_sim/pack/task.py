# SPDX-License-Identifier: Apache-2.0
"""Packing as the simulator and the scripted operator know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_sim.pack.expert import PackExpert
from hiors_sim.pack.judge import PackJudge
from hiors_sim.pack.mjcf import BOTTLE, BOX, add_scene
from hiors_sim.pack.props import PackProps
from hiors_sim.pack.scene import PackScene
from hiors_sim.pack.watcher import PackWatcher
from hiors_sim.sim_task import CLEARANCE, SimTask

if TYPE_CHECKING:
    import mujoco

OBJECTS = (BOTTLE, BOX)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTask(SimTask):
    """A conveyor, a bottle, a box, and the Tora One."""

    scene: PackScene

    def in_the_way(self, tool: NDArray[np.float64]) -> bool:
        scene = self.scene
        beside = np.abs(tool[:2] - scene.start_center) - scene.start_size / 2
        top = scene.belt_height + 2 * scene.half
        return bool(np.all(beside < CLEARANCE) and tool[2] - top < CLEARANCE)

    def build(self, root: ET.Element, world: ET.Element) -> None:
        add_scene(root, world, self.scene)

    def props(self, model: mujoco.MjModel) -> PackProps:
        return PackProps(model, self.scene)

    def judge(self) -> PackJudge:
        return PackJudge(self.scene)

    def expert(self, rng: np.random.Generator) -> PackExpert:
        return PackExpert(self.scene, rng)

    def watcher(self) -> PackWatcher:
        return PackWatcher(PackJudge(self.scene))
