# SPDX-License-Identifier: Apache-2.0
"""The motion commands of the emulated controller, one function each: (controller, request) ->
value of the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiors_sim.dobot_motion import Motion, limit_alarm
from hiors_sim.dobot_text import FAILED, PARAMETER_COUNT, Refusal, Request
from hiors_sim.servo import ServoParameters

if TYPE_CHECKING:
    from hiors_sim.dobot_controller import DobotController

Array = NDArray[np.float64]
Handler = Callable[["DobotController", Request], str]
"""Carries out a request; returns the value of the answer, or raises Refusal."""


def solve(
    controller: DobotController, vector: list[float], seed: Array, tool: tuple[float, ...]
) -> Array:
    """Return joints (6,) [rad] that reach the pose (6,) [mm], [deg], or refuse."""
    joints = controller.kinematics.solve(np.array(vector), seed, tool)
    if joints is None:
        raise Refusal(FAILED)
    return joints


def require_ready(controller: DobotController) -> None:
    """Refuse a motion that would not be carried out."""
    if not controller.state.ready:
        raise Refusal(FAILED)


def _servo_j(controller: DobotController, request: Request) -> str:
    # t may be positional, as the maker's own X-Trainer software sends it.
    request.count(6, 7)
    v4 = controller.state.settings.protocol == "v4"
    ahead = "aheadtime" if v4 else "lookahead_time"
    request.only("t", ahead, "gain")
    joints = np.radians(request.numbers(0, 6))
    positional = request.number(6, 0.02, 3600.0) if len(request.args) == 7 else 0.1
    parameters = ServoParameters(
        duration=request.option("t", positional, 0.004 if v4 else 0.02, 3600.0),
        lookahead=request.option(ahead, 50.0, 20.0, 100.0),
        gain=request.option("gain", 500.0, 200.0, 1000.0),
    )
    require_ready(controller)
    controller.queue.servo(joints, parameters)
    return ""


def _servo_p(controller: DobotController, request: Request) -> str:
    request.count(6)
    request.only()
    vector = request.numbers(0, 6)
    require_ready(controller)
    joints = solve(controller, vector, controller.plant.read().target, controller.tool())
    controller.queue.servo(joints, ServoParameters(duration=0.03))
    return ""


def _speed(controller: DobotController, request: Request, key: str) -> float:
    ratios = controller.state.ratios
    ratio = request.option(key, ratios.get(key, 50), 1, 100) / 100.0
    return ratio * ratios["speedfactor"] / 100.0


def _move_joints(controller: DobotController, request: Request) -> str:
    if len(request.args) != 6:
        raise Refusal(PARAMETER_COUNT)
    request.only("user", "tool", "speedj", "accj")
    numbers = request.numbers(0, 6)
    require_ready(controller)
    start = controller.queue.end
    if request.name == "movj":
        end = solve(controller, numbers, start, controller.tool())
    else:
        end = np.radians(numbers)
        end = start + end if request.name == "reljointmovj" else end
    queue_joints(controller, end, _speed(controller, request, "speedj"))
    return ""


def queue_joints(controller: DobotController, end: Array, ratio: float) -> None:
    """Queue a motion of the joints to ``end`` (6,) [rad] at a part of the full speed."""
    start, settings = controller.queue.end, controller.state.settings
    if alarm := limit_alarm(np.degrees(end), settings):
        controller.state.raise_alarm(alarm)
        raise Refusal(FAILED)
    speed = settings.max_joint_speed * ratio
    duration = 1.5 * float(np.abs(np.degrees(end - start)).max()) / speed
    controller.queue.append(Motion(lambda s: start + s * (end - start), duration), end)


def _move_line(controller: DobotController, request: Request) -> str:
    if len(request.args) != 6:
        raise Refusal(PARAMETER_COUNT)
    request.only("user", "tool", "speedl", "accl")
    goal = np.array(request.numbers(0, 6))
    require_ready(controller)
    queue_line(controller, goal, _speed(controller, request, "speedl"))
    return ""


def queue_line(controller: DobotController, goal: Array, ratio: float) -> None:
    """Queue a straight motion of the tool to ``goal`` (6,) [mm], [deg]."""
    tool = controller.tool()
    start = controller.queue.end
    begin = controller.kinematics.vector(start, tool)
    turn = (goal[3:] - begin[3:] + 180.0) % 360.0 - 180.0
    way = np.concatenate([goal[:3] - begin[:3], turn])
    points = [start]
    for s in np.linspace(0.0, 1.0, 21)[1:]:
        points.append(solve(controller, (begin + s * way).tolist(), points[-1], tool))
    grid, table = np.linspace(0.0, 1.0, 21), np.array(points)

    def path(s: float) -> Array:
        return np.array([np.interp(s, grid, table[:, i]) for i in range(6)])

    speed = 1000.0 * ratio
    duration = 1.5 * max(float(np.linalg.norm(way[:3])) / speed, float(np.abs(turn).max()) / 90.0)
    controller.queue.append(Motion(path, duration), points[-1])


def _sync(_: DobotController, request: Request) -> str:
    request.count(0)
    return ""


def wait(controller: DobotController, request: Request) -> str:
    """Wait(ms): pause the queue."""
    request.count(1)
    end = controller.queue.end
    pause = request.number(0, 0.0, 3600e3) / 1000.0
    controller.queue.append(Motion(lambda _: end, pause), end)
    return ""


MOTIONS: dict[str, Handler] = {
    "servoj": _servo_j,
    "servop": _servo_p,
    "jointmovj": _move_joints,
    "reljointmovj": _move_joints,
    "movj": _move_joints,
    "movl": _move_line,
    "sync": _sync,
}
"""Commands of protocol V3's motion port."""
