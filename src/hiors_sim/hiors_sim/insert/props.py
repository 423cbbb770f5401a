# SPDX-License-Identifier: Apache-2.0
"""Box and hole within the compiled model: starts, success, and slips by chance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import UnknownName
from hiors_sim.angles import upright, yaw_of
from hiors_sim.insert.judge import InsertJudge
from hiors_sim.insert.mjcf import BOX_JOINTS
from hiors_sim.insert.scene import InsertScene
from hiors_sim.sim_task import Tool

if TYPE_CHECKING:
    import mujoco

Array = NDArray[np.float64]

_SMOOTH = 0.001
"""Friction of the finger pads while the box slips."""
_LET_GO = 0.4
"""Openness at which the fingers grip again after a slip."""


class InsertProps:
    """The moving box and the fixed hole."""

    def __init__(self, model: mujoco.MjModel, scene: InsertScene) -> None:
        self._scene, self._judge = scene, InsertJudge(scene)
        joints = [model.joint(name).id for name in BOX_JOINTS]
        self._q, self._v = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        self._hole = scene.hole_pose
        self._held = 0.0
        self._slip = _Slip(model, scene)

    def reset(self, data: mujoco.MjData, seed: int) -> None:
        scene = self._scene
        rng = np.random.default_rng(seed)
        x, y = scene.start_center + scene.start_size * rng.uniform(-0.5, 0.5, 2)
        yaw = rng.uniform(-scene.start_yaw, scene.start_yaw)
        z = scene.plate_height + float(scene.box_size[2]) / 2
        self._slip.reset(seed)
        self._put(data, float(x), float(y), z, float(yaw))

    def place(self, data: mujoco.MjData, name: str, pose: Array) -> None:
        if name != "box":
            raise UnknownName("movable object", name, ["box"])
        self._put(data, float(pose[0]), float(pose[1]), float(pose[2]), yaw_of(pose))

    def update(self, data: mujoco.MjData, seconds: float, tool: Tool) -> None:
        # Openness first: it is cheap to read and settles nearly every step.
        openness = tool.openness(data)
        opened = openness >= self._scene.openness
        if opened and self._judge.seated(self._box(data), self._hole):
            high = tool.pose(data)[2] - data.qpos[self._q[2]]
            self._held = self._held + seconds if high >= self._scene.retreat else 0.0
        else:
            self._held = 0.0
        if self._slip.possible:
            above = self._judge.bottom(self._box(data)) - self._scene.hole_depth
            speed = float(np.linalg.norm(data.qvel[self._v[:3]]))
            self._slip.update(seconds, openness, above, speed)

    def poses(self, data: mujoco.MjData) -> dict[str, Array]:
        return {"box": self._box(data), "hole": self._hole.copy()}

    @property
    def success(self) -> bool:
        return self._held >= self._scene.hold

    def lost(self, data: mujoco.MjData) -> bool:
        return self._judge.off_plate(self._box(data))

    def _put(self, data: mujoco.MjData, x: float, y: float, z: float, yaw: float) -> None:
        data.qpos[self._q] = (x, y, z, yaw)
        data.qvel[self._v] = 0
        self._held = 0.0

    def _box(self, data: mujoco.MjData) -> Array:
        x, y, z, yaw = data.qpos[self._q]
        return upright(x, y, z, yaw)


class _Slip:
    """Chance that has nothing to do with the one who drives: the box slips out of the fingers.

    While the box is in the air it happens at a rate; the pads then hold nothing until they open.
    """

    def __init__(self, model: mujoco.MjModel, scene: InsertScene) -> None:
        self._rate, self._speed = scene.slip_rate, scene.slip_speed
        self._model = model
        names = (model.geom(i).name for i in range(model.ngeom))
        self._pads = [i for i, name in enumerate(names) if "_pad_" in name]
        self._grip = model.geom_friction[self._pads].copy()
        self.possible = self._rate > 0.0
        self.reset(0)

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._slipping = False
        self._model.geom_friction[self._pads] = self._grip

    def update(self, seconds: float, openness: float, above: float, speed: float) -> None:
        """Let chance act for ``seconds`` on a box ``above`` the plate [m], at ``speed`` [m/s]."""
        if self._slipping:
            if openness > _LET_GO:
                self._slipping = False
                self._model.geom_friction[self._pads] = self._grip
        elif openness < _LET_GO and above > 0.004:
            rate = self._rate * (1.0 + (speed / self._speed) ** 2)
            if self._rng.random() < 1.0 - math.exp(-rate * seconds):
                self._slipping = True
                self._model.geom_friction[self._pads] = _SMOOTH
