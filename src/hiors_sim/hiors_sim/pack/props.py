# SPDX-License-Identifier: Apache-2.0
"""Belt, bottle and box within the compiled model: starts, motion of the belt, success."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import UnknownName
from hiors_sim.angles import upright, yaw_of
from hiors_sim.pack.judge import PackJudge
from hiors_sim.pack.mjcf import BELT, BOTTLE, BOTTLE_JOINTS, BOX, PITCH
from hiors_sim.pack.scene import PackScene
from hiors_sim.sim_task import Tool

if TYPE_CHECKING:
    import mujoco

Array = NDArray[np.float64]


class PackProps:
    """The conveyor that runs, the bottle on it, the box that waits."""

    def __init__(self, model: mujoco.MjModel, scene: PackScene) -> None:
        self._scene, self._judge = scene, PackJudge(scene)
        joints = [model.joint(name).id for name in BOTTLE_JOINTS]
        self._q, self._v = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        belt = model.joint(BELT).id
        self._belt_q, self._belt_v = int(model.jnt_qposadr[belt]), int(model.jnt_dofadr[belt])
        self._place = int(model.body(BOX).mocapid[0])
        self._box = _box_at(scene, scene.box_center)
        self._speed = float(scene.belt_speed[0])
        self._held = 0.0

    def reset(self, data: mujoco.MjData, seed: int) -> None:
        scene = self._scene
        rng = np.random.default_rng(seed)
        x, y = scene.start_center + scene.start_size * rng.uniform(-0.5, 0.5, 2)
        yaw = rng.uniform(-scene.start_yaw, scene.start_yaw)
        self._speed = float(rng.uniform(*scene.belt_speed))
        place = scene.box_center + scene.box_shift * rng.uniform(-1.0, 1.0, 2)
        self.place(data, BOX, _box_at(scene, place))
        self.place(data, BOTTLE, upright(x, y, scene.belt_height + scene.half, yaw))
        data.qvel[self._v[1]] = -self._speed
        self._run(data)

    def place(self, data: mujoco.MjData, name: str, pose: Array) -> None:
        if name == BOTTLE:
            data.qpos[self._q] = (*pose[:3], yaw_of(pose))
            data.qvel[self._v] = 0.0
        elif name == BOX:
            self._box = np.array(pose)
            data.mocap_pos[self._place] = pose[:3]
            data.mocap_quat[self._place] = [pose[6], *pose[3:6]]
        else:
            raise UnknownName("movable object", name, [BOTTLE, BOX])
        self._held = 0.0

    def update(self, data: mujoco.MjData, seconds: float, tool: Tool) -> None:
        self._run(data)
        opened = tool.openness(data) >= self._scene.openness
        bottle = self._bottle(data)
        if opened and self._judge.inside(bottle, self._box):
            packed = self._judge.packed(bottle, self._box, tool.pose(data), 1.0)
            self._held = self._held + seconds if packed else 0.0
        else:
            self._held = 0.0

    def poses(self, data: mujoco.MjData) -> dict[str, Array]:
        return {BOTTLE: self._bottle(data), BOX: self._box.copy()}

    @property
    def success(self) -> bool:
        return self._held >= self._scene.hold

    def lost(self, data: mujoco.MjData) -> bool:
        return self._judge.gone(self._bottle(data))

    def _run(self, data: mujoco.MjData) -> None:
        data.qpos[self._belt_q] %= PITCH
        data.qvel[self._belt_v] = -self._speed

    def _bottle(self, data: mujoco.MjData) -> Array:
        x, y, z, yaw = data.qpos[self._q]
        return upright(x, y, z, yaw)


def _box_at(scene: PackScene, place: Array) -> Array:
    return upright(float(place[0]), float(place[1]), scene.floor)
