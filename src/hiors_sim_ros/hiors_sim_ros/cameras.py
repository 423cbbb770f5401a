# SPDX-License-Identifier: Apache-2.0
"""Shows the cameras at a steady rate, from snapshots; another process renders, so that neither
physics nor a robot's protocol ever waits for a picture.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_ns
from hiors_core.errors import HiorsError
from hiors_sim.rendering_process import RenderingProcess
from hiors_sim.simulation import RobotSim

Image = NDArray[np.uint8]


class CameraLoop:
    """Gives ``on_image`` (camera, picture, stamp [ns]) at a steady rate until closed or broken.

    It is made with the first pictures.
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
        width, height = size
        self._renderer = RenderingProcess(sim.model, cameras, width=width, height=height)
        self._sim = sim
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
        """End the thread and the process that renders."""
        self._running = False
        self._thread.join(5.0)
        self._renderer.close()

    def _run(self) -> None:
        try:
            self._show_all()
        except HiorsError as error:
            self.failure = str(error)
        finally:
            self._warm.set()

    def _show_all(self) -> None:
        self._show()
        self._warm.set()
        due = self._clock.now() + self._period
        while self._running:
            self._clock.sleep_until(due)
            self._show()
            due += self._period
            if self._clock.now() > due:
                self.slow += 1
                due = self._clock.now()

    def _show(self) -> None:
        stamp = self._clock.now()
        for camera, image in self._renderer.render(self._sim.snapshot()):
            self._on_image(camera, image, stamp)
            self.pictures += 1
