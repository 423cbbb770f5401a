# SPDX-License-Identifier: Apache-2.0
"""The commands of the emulated controller that protocol V4 has or words differently. All of them
arrive on the dashboard port; a motion is answered with its number in the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hiors_sim.dobot_commands import COMMANDS
from hiors_sim.dobot_moves import Handler, queue_joints, queue_line, require_ready, solve
from hiors_sim.dobot_text import FAILED, PARAMETER_COUNT, Port, Refusal, Request, values
from hiors_sim.servo import ServoParameters

if TYPE_CHECKING:
    from hiors_sim.dobot_controller import DobotController

_DASHBOARD, _MOTION = COMMANDS[Port.DASHBOARD], COMMANDS[Port.MOTION]
_MOVE_OPTIONS = ("pose", "joint", "user", "tool", "a", "v", "speed", "cp", "r")


def _numbered(handler: Handler) -> Handler:
    def run(controller: DobotController, request: Request) -> str:
        handler(controller, request)
        controller.last_command_id += 1
        return str(controller.last_command_id)

    return run


def _goal(request: Request) -> tuple[str, list[float]]:
    """Return which way the goal is given, "pose" or "joint", and its six numbers."""
    request.count(0)
    request.only(*_MOVE_OPTIONS)
    given = [key for key in ("pose", "joint") if key in request.options]
    if len(given) != 1:
        raise Refusal(PARAMETER_COUNT)
    return given[0], request.tuple_option(given[0], 6)


def _move(controller: DobotController, request: Request) -> str:
    kind, numbers = _goal(request)
    ratios, straight = controller.state.ratios, request.name == "movl"
    usual = ratios.get("vell" if straight else "velj", 100)
    ratio = request.option("v", usual, 1, 100) / 100.0 * ratios["speedfactor"] / 100.0
    require_ready(controller)
    if straight:
        tool = controller.tool()
        joints = np.radians(numbers)
        goal = controller.kinematics.vector(joints, tool) if kind == "joint" else np.array(numbers)
        queue_line(controller, goal, ratio)
    elif kind == "joint":
        queue_joints(controller, np.radians(numbers), ratio)
    else:
        end = solve(controller, numbers, controller.queue.end, controller.tool())
        queue_joints(controller, end, ratio)
    return ""


def _move_relative(controller: DobotController, request: Request) -> str:
    request.count(6)
    request.only("a", "v", "cp")
    ratios = controller.state.ratios
    usual = ratios.get("velj", 100)
    ratio = request.option("v", usual, 1, 100) / 100.0 * ratios["speedfactor"] / 100.0
    require_ready(controller)
    queue_joints(controller, controller.queue.end + np.radians(request.numbers(0, 6)), ratio)
    return ""


def _servo_p(controller: DobotController, request: Request) -> str:
    request.count(6)
    request.only("t", "aheadtime", "gain")
    parameters = ServoParameters(
        duration=request.option("t", 0.1, 0.02, 3600.0),
        lookahead=request.option("aheadtime", 50.0, 20.0, 100.0),
        gain=request.option("gain", 500.0, 200.0, 1000.0),
    )
    require_ready(controller)
    seed = controller.plant.read().target
    joints = solve(controller, request.numbers(0, 6), seed, controller.tool())
    controller.queue.servo(joints, parameters)
    return ""


def _emergency_stop(controller: DobotController, request: Request) -> str:
    request.count(1)
    if request.integer(0, 0, 1):
        controller.state.emergency_stop()
    return ""


def _tool_of(controller: DobotController, request: Request) -> tuple[float, ...]:
    return controller.tool(int(request.option("tool", controller.state.tool, 0, 9)))


def _forward(controller: DobotController, request: Request) -> str:
    request.count(6)
    request.only("user", "tool")
    joints = np.radians(request.numbers(0, 6))
    return values(controller.kinematics.vector(joints, _tool_of(controller, request)).tolist())


def _inverse(controller: DobotController, request: Request) -> str:
    request.count(6)
    request.only("user", "tool", "usejointnear", "jointnear")
    seed = controller.plant.read().position
    if request.option("usejointnear", 0, 0, 1):
        if "jointnear" not in request.options:
            raise Refusal(PARAMETER_COUNT)
        seed = np.radians(request.tuple_option("jointnear", 6))
    numbers = request.numbers(0, 6)
    joints = controller.kinematics.solve(np.array(numbers), seed, _tool_of(controller, request))
    if joints is None:
        raise Refusal(FAILED)
    return values(np.degrees(joints).tolist())


def _current_id(controller: DobotController, request: Request) -> str:
    request.count(0)
    return str(controller.current_command_id)


_ONLY_V3 = (
    "resetrobot", "speedj", "speedl", "doexecute", "tooldoexecute", "positivesolution",
    "inversesolution", "wait", "setcollidedrag",
)  # fmt: skip
COMMANDS_V4: dict[str, Handler] = {
    **{name: command for name, command in _DASHBOARD.items() if name not in _ONLY_V3},
    "stop": _DASHBOARD["resetrobot"],
    "emergencystop": _emergency_stop,
    "requestcontrol": _DASHBOARD["setcollisionlevel"],
    "velj": _DASHBOARD["speedj"],
    "vell": _DASHBOARD["speedl"],
    "doinstant": _DASHBOARD["doexecute"],
    "tooldoinstant": _DASHBOARD["tooldoexecute"],
    "positivekin": _forward,
    "inversekin": _inverse,
    "getcurrentcommandid": _current_id,
    "servoj": _numbered(_MOTION["servoj"]),
    "servop": _numbered(_servo_p),
    "movj": _numbered(_move),
    "movl": _numbered(_move),
    "reljointmovj": _numbered(_move_relative),
}
"""Commands of protocol V4 that are emulated, by name."""
MOTIONS_V4 = ("servoj", "servop", "movj", "movl", "reljointmovj")
