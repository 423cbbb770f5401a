# SPDX-License-Identifier: Apache-2.0
"""The shown pose within the compiled model: where it is, how long the hand has been there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import UnknownName
from hiors_sim.raise_hand.judge import RaiseHandJudge
from hiors_sim.raise_hand.mjcf import TARGET
from hiors_sim.raise_hand.scene import RaiseHandScene
from hiors_sim.sim_task import Tool

if TYPE_CHECKING:
    import mujoco

Array = NDArray[np.float64]


class RaiseHandProps:
    """The target."""

    def __init__(self, model: mujoco.MjModel, scene: RaiseHandScene) -> None:
        self._scene, self._judge = scene, RaiseHandJudge(scene)
        self._place = int(model.body(TARGET).mocapid[0])
        self._target = scene.pose(scene.center, 0.0)
        self._held = 0.0

    def reset(self, data: mujoco.MjData, seed: int) -> None:
        scene = self._scene
        rng = np.random.default_rng(seed)
        position = scene.center + scene.size * rng.uniform(-0.5, 0.5, 3)
        self.place(data, TARGET, scene.pose(position, rng.uniform(-scene.yaw, scene.yaw)))

    def place(self, data: mujoco.MjData, name: str, pose: Array) -> None:
        if name != TARGET:
            raise UnknownName("movable object", name, [TARGET])
        self._target = np.array(pose)
        data.mocap_pos[self._place] = pose[:3]
        data.mocap_quat[self._place] = [pose[6], *pose[3:6]]
        self._held = 0.0

    def update(self, data: mujoco.MjData, seconds: float, tool: Tool) -> None:
        reached = self._judge.reached(tool.pose(data), self._target, tool.openness(data))
        self._held = self._held + seconds if reached else 0.0

    def poses(self, data: mujoco.MjData) -> dict[str, Array]:
        del data
        return {TARGET: self._target.copy()}

    @property
    def success(self) -> bool:
        return self._held >= self._scene.hold

    def lost(self, data: mujoco.MjData) -> bool:
        del data
        return False
