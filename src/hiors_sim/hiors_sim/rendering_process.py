# SPDX-License-Identifier: Apache-2.0
"""A process of its own that renders, so that neither OpenGL nor its threads hold up the process
that simulates.

Scene and snapshots go in, pictures come out, as plain bytes over pipes. Knows no rate, no topics.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO, cast

import mujoco
import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import HiorsError
from hiors_sim.rendering import SceneRenderer

Image = NDArray[np.uint8]

NICE = 10
"""Priority that rendering gives way with: pictures may come late, a robot's protocol may not."""


class RenderingProcess:
    """Renders snapshots of one model; one thread uses it at a time."""

    def __init__(
        self, model: mujoco.MjModel, cameras: Sequence[str], *, width: int, height: int
    ) -> None:
        """Start the process. OpenGL is open when the first picture has come."""
        self._cameras, self._shape = tuple(cameras), (height, width, 3)
        scene = np.empty(mujoco.mj_sizeModel(model), np.uint8)
        mujoco.mj_saveModel(model, None, scene)
        words = [sys.executable, "-m", __name__, str(scene.size), str(width), str(height)]
        self._said = TemporaryFile()  # noqa: SIM115 it lives as long as the process
        self._process = subprocess.Popen(
            [*words, *self._cameras],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        self._to = cast("IO[bytes]", self._process.stdin)
        self._from = cast("IO[bytes]", self._process.stdout)
        self._unsent = scene.tobytes()

    def render(self, snapshot: NDArray[np.float64]) -> Iterator[tuple[str, Image]]:
        """Yield (camera, picture (height, width, 3) uint8 RGB) of every camera.

        Raises:
            HiorsError: the process cannot render, or has ended.
        """
        data, self._unsent = self._unsent + snapshot.tobytes(), b""
        try:
            self._to.write(data)
            self._to.flush()
        except OSError as error:
            raise self._ended() from error
        size = int(np.prod(self._shape))
        for camera in self._cameras:
            data = self._from.read(size)
            if len(data) < size:
                raise self._ended()
            yield camera, np.frombuffer(data, np.uint8).reshape(self._shape)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def _ended(self) -> HiorsError:
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return HiorsError(lines[-1] if lines else f"The process that renders has ended ({code})")


def serve(source: IO[bytes], sink: IO[bytes], words: Sequence[str]) -> None:
    """Render the scene that comes first for each snapshot that follows, until the source ends."""
    scene_size, width, height = map(int, words[:3])
    model = mujoco.MjModel.from_binary_path("scene.mjb", {"scene.mjb": source.read(scene_size)})
    renderer = SceneRenderer(model, width=width, height=height)
    size = 8 * renderer.snapshot_size
    while len(data := source.read(size)) == size:
        snapshot = np.frombuffer(data)
        for camera in words[3:]:
            sink.write(renderer.render(camera, snapshot).tobytes())
        sink.flush()
    renderer.close()


def main() -> int:
    """Render until the process that simulates ends."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as sink:
        # What a graphics driver prints must not get between the pictures.
        os.dup2(2, 1)
        try:
            serve(sys.stdin.buffer, sink, sys.argv[1:])
        except HiorsError as error:
            print(error, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
