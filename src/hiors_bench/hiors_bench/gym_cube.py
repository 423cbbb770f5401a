# SPDX-License-Identifier: Apache-2.0
"""gym-hil's PickCube as a process: moves of the tool in, what is to be seen out. Knows no agent.

gym-hil asks for an older MuJoCo than the simulator of this repository, so it has packages of its
own and is talked to through a pipe.
"""

import json
import os
import subprocess
import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from hiors_core.errors import HiorsError, InvalidValue

Array = NDArray[np.float64]

PACKAGES = Path(sys.prefix, "extras", "gym")
"""Where `make setup EXTRAS=gym` puts gym-hil; HIORS_GYM names another folder."""
REACH = np.array([[0.2, -0.3, 0.0], [0.6, 0.3, 0.5]])
"""Corners of the space that the environment lets the tool's target move in [m]."""
LONGEST_STEP = 0.05
"""Of the tool's target in one step [m]."""
DT = 0.1
"""Time of one step [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeView:
    """What is seen after a step.

    Attributes:
        tool: (3,) tool point [m]. target: (3,) where it was told to go. opening: of the gripper's
            command, 0 closed .. 1 open. cube: (3,) its middle [m].
        success: the cube is 0.1 m above where it stood. over: the episode has ended, by success,
            by the cube beyond the table's marks, or after 10 s.
        thrown: ended by the cube beyond its marks.
    """

    tool: Array
    target: Array
    opening: float
    cube: Array
    success: bool
    over: bool
    thrown: bool


class GymCube:
    """The environment; its process ends with the with statement or with this object."""

    def __init__(self) -> None:
        """Begin the process; it ends with its input, so with this one."""
        search = os.pathsep.join([str(packages()), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("gym_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"MUJOCO_GL": "egl", **os.environ, "PYTHONPATH": search},
        )
        self._input = cast(IO[bytes], self._process.stdin)
        self._output = cast(IO[bytes], self._process.stdout)
        self._target = np.zeros(3)
        self._end = weakref.finalize(self, _end, self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._end()

    def reset(self, seed: int) -> CubeView:
        """Begin an episode; the seed places the cube."""
        found = self._call({"reset": seed})
        self._target = np.array(found["tool"])
        return self._view(found)

    def step(self, target: Array, opening: float) -> CubeView:
        """Tell the tool where to go (3,) [m] and the gripper to be open, above 0.5, or closed."""
        if not np.all(np.isfinite(target)) or not np.isfinite(opening):
            raise InvalidValue(f"A step must be finite, got {target} and {opening}")
        move = np.clip(target - self._target, -LONGEST_STEP, LONGEST_STEP)
        wanted = np.clip(self._target + move, *REACH)
        grip = -1.0 if opening > 0.5 else 1.0
        found = self._call({"step": [*(wanted - self._target).tolist(), 0.0, 0.0, 0.0, grip]})
        self._target = wanted
        return self._view(found)

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            self._input.write(json.dumps(call).encode() + b"\n")
            self._input.flush()
        except BrokenPipeError:
            pass  # The answer says that it is gone.
        if not (line := self._output.readline()):
            code = self._process.wait()
            raise HiorsError(f"gym-hil's process ended with code {code}; it says why above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _view(self, found: dict[str, Any]) -> CubeView:
        return CubeView(
            tool=np.array(found["tool"]),
            target=self._target.copy(),
            opening=1.0 - found["closed"],
            cube=np.array(found["cube"]),
            success=found["success"],
            over=found["over"],
            thrown=found["thrown"],
        )


def packages() -> Path:
    """Return the folder with gym-hil, or raise HiorsError saying how to get it."""
    place = Path(os.environ.get("HIORS_GYM") or PACKAGES)
    if not (place / "gym_hil").is_dir():
        raise HiorsError(
            f"gym-hil is not in {place}: make setup EXTRAS=gym puts it there, beside the MuJoCo"
            " that it needs"
        )
    return place


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
