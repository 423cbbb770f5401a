# SPDX-License-Identifier: Apache-2.0
"""Pictures of the scene, rendered headless from snapshots.

Owns its own copy of the data, so it never holds up physics.
"""

import threading

import mujoco
import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import HiorsError, StateError, UnknownName
from hiors_sim.gl import advice

Image = NDArray[np.uint8]


def snapshot_of(data: mujoco.MjData) -> NDArray[np.float64]:
    """Return where everything is: joints, then poses of the things that are put somewhere."""
    return np.concatenate((data.qpos, data.mocap_pos.ravel(), data.mocap_quat.ravel()))


def _restore(data: mujoco.MjData, snapshot: NDArray[np.float64]) -> None:
    joints, places = data.qpos.size, data.mocap_pos.size
    data.qpos[:] = snapshot[:joints]
    data.mocap_pos.flat = snapshot[joints : joints + places]
    data.mocap_quat.flat = snapshot[joints + places :]


class SceneRenderer:
    """Renders snapshots of one model; an OpenGL context belongs to the thread that made it."""

    def __init__(
        self, model: mujoco.MjModel, *, width: int = 160, height: int = 120, shadows: bool = False
    ) -> None:
        """Open an OpenGL context.

        Args:
            width, height: size of the pictures [pixels].
            shadows: draw shadows and reflections: nicer, and several times slower on a CPU.
        """
        self._model = model
        self._thread = threading.get_ident()
        self._data = mujoco.MjData(model)
        self.snapshot_size = snapshot_of(self._data).size
        self.cameras = tuple(model.camera(i).name for i in range(model.ncam))
        try:
            self._renderer = mujoco.Renderer(model, height=height, width=width)
        except Exception as error:  # the platforms raise whatever their bindings raise
            raise HiorsError(f"Cannot render ({error!r}). {advice()}") from error
        flags = self._renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = shadows

    def render(self, camera: str, snapshot: NDArray[np.float64]) -> Image:
        """Return the picture (height, width, 3) uint8 RGB of a snapshot."""
        if threading.get_ident() != self._thread:
            raise StateError(
                "A SceneRenderer works only in the thread that made it; make one in this thread"
            )
        if camera not in self.cameras:
            raise UnknownName("camera", camera, self.cameras)
        if not np.array_equal(snapshot_of(self._data), snapshot) or self._data.time == 0.0:
            _restore(self._data, snapshot)
            self._data.time = 1.0
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_comPos(self._model, self._data)
            mujoco.mj_camlight(self._model, self._data)
        self._renderer.update_scene(self._data, camera=camera)
        return np.asarray(self._renderer.render(), dtype=np.uint8)

    def close(self) -> None:
        """Free the context."""
        self._renderer.close()
