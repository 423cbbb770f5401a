# SPDX-License-Identifier: Apache-2.0
"""Raising the hand as the simulator and the scripted operator know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_sim.raise_hand.expert import RaiseHandExpert
from hiors_sim.raise_hand.judge import RaiseHandJudge
from hiors_sim.raise_hand.mjcf import TARGET, add_scene
from hiors_sim.raise_hand.props import RaiseHandProps
from hiors_sim.raise_hand.scene import RaiseHandScene
from hiors_sim.raise_hand.watcher import RaiseHandWatcher
from hiors_sim.sim_task import SimTask

if TYPE_CHECKING:
    import mujoco

OBJECTS = (TARGET,)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseHandTask(SimTask):
    """A shown pose, and the Tora One."""

    scene: RaiseHandScene

    def in_the_way(self, tool: NDArray[np.float64]) -> bool:
        del tool
        return False

    def build(self, root: ET.Element, world: ET.Element) -> None:
        add_scene(root, world, self.scene)

    def props(self, model: mujoco.MjModel) -> RaiseHandProps:
        return RaiseHandProps(model, self.scene)

    def judge(self) -> RaiseHandJudge:
        return RaiseHandJudge(self.scene)

    def expert(self, rng: np.random.Generator) -> RaiseHandExpert:
        return RaiseHandExpert(self.scene, rng)

    def watcher(self) -> RaiseHandWatcher:
        return RaiseHandWatcher(RaiseHandJudge(self.scene))
