# SPDX-License-Identifier: Apache-2.0
"""Renders the cameras in a thread of its own, from snapshots, so that physics never waits for a
picture.
"""

import os
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_ns
from hiors_core.errors import HiorsError
from hiors_sim.rendering import SceneRenderer
from hiors_sim.simulation import RobotSim

Image = NDArray[np.uint8]

CAMERA_NICE = 10
"""Priority that rendering gives way with."""


class CameraLoop:
    """Gives ``on_image`` (camera, picture, stamp [ns]) at a steady rate until closed or broken.

    It is made with the first pictures: opening OpenGL holds up every thread of the process.
    """

    def __init__(
        self,
        sim: RobotSim,
        cameras: Sequence[str],
        size: tuple[int, int],
        rate: float,
        clock: Clock,
        on_image: Callable[[str, Image, int], None],
    ) -> None:
        self._sim, self._cameras, self._size = sim, tuple(cameras), size
        self._period, self._clock, self._on_image = to_ns(1.0 / rate), clock, on_image
        self._running = True
        self.failure: str | None = None
        self.pictures = 0
        self.slow = 0
        self._warm = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)
        self._thread.start()
        self._warm.wait()

    def close(self) -> None:
        """End the thread."""
        self._running = False
        self._thread.join(5.0)

    def _run(self) -> None:
        try:
            self._render_all()
        except HiorsError as error:
            self.failure = str(error)
        finally:
            self._warm.set()

    def _render_all(self) -> None:
        width, height = self._size
        # The OpenGL context belongs to the thread that makes it.
        renderer = SceneRenderer(self._sim.model, width=width, height=height)
        self._render(renderer)
        self._warm.set()
        # Pictures may come late, the protocols of the robot may not. Linux: only this thread.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), CAMERA_NICE)
        due = self._clock.now() + self._period
        while self._running:
            self._clock.sleep_until(due)
            self._render(renderer)
            due += self._period
            if self._clock.now() > due:
                self.slow += 1
                due = self._clock.now()
        renderer.close()

    def _render(self, renderer: SceneRenderer) -> None:
        stamp, snapshot = self._clock.now(), self._sim.snapshot()
        for camera in self._cameras:
            self._on_image(camera, renderer.render(camera, snapshot), stamp)
            self.pictures += 1
