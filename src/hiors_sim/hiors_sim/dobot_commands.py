# SPDX-License-Identifier: Apache-2.0
"""The commands of the emulated controller, one function each: (controller, request) -> value of
the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiors_sim.dobot_motion import Motion, limit_alarm
from hiors_sim.dobot_text import FAILED, PARAMETER_COUNT, Port, Refusal, Request, values
from hiors_sim.servo import ServoParameters

if TYPE_CHECKING:
    from hiors_sim.dobot_controller import DobotController

Array = NDArray[np.float64]
Handler = Callable[["DobotController", Request], str]


def _ok(action: Callable[[DobotController], object]) -> Handler:
    def handler(controller: DobotController, request: Request) -> str:
        request.count(0)
        action(controller)
        return ""

    return handler


def _enable(controller: DobotController, request: Request) -> str:
    request.count(0, 1, 4)
    load = request.number(0, 0.0, 20.0) if request.args else 0.0
    for index in range(1, len(request.args)):
        request.number(index, -500.0, 500.0)
    if not controller.state.enable():
        raise Refusal(FAILED)
    controller.state.load = load
    return ""


def _ratio(controller: DobotController, request: Request) -> str:
    request.count(1)
    low = 0 if request.name == "cp" else 1
    controller.state.ratios[request.name] = request.integer(0, low, 100)
    return ""


def _drag(controller: DobotController, request: Request) -> str:
    request.count(0)
    start = request.name == "startdrag"
    if start and not (controller.state.ready and controller.queue.idle):
        raise Refusal(FAILED)
    controller.state.dragging = start
    return ""


def _pause(controller: DobotController, request: Request) -> str:
    request.count(0)
    controller.state.paused = request.name == "pause"
    return ""


def _mode(controller: DobotController, request: Request) -> str:
    request.count(0)
    return str(int(controller.state.mode))


def _angle(controller: DobotController, request: Request) -> str:
    request.count(0)
    return values(np.degrees(controller.plant.read().position).tolist())


def _pose(controller: DobotController, request: Request) -> str:
    request.count(0)
    request.only("user", "tool")
    tool = int(request.option("tool", controller.state.tool, 0, 9))
    joints = controller.plant.read().position
    return values(controller.kinematics.vector(joints, controller.tool(tool)).tolist())


def _errors(controller: DobotController, request: Request) -> str:
    request.count(0)
    lists = [controller.state.controller_alarms, *controller.state.servo_alarms]
    return f"[{','.join('[' + ','.join(map(str, ids)) + ']' for ids in lists)}]"


def _set_tool(controller: DobotController, request: Request) -> str:
    request.count(2)
    index = request.integer(0, 1, 9)
    frame = request.tuple(1, 6)
    if any(frame[3:]):
        # A turned tool is not emulated; refusing is better than poses that are silently wrong.
        raise Refusal(FAILED)
    controller.state.tools[index] = tuple(frame)
    return ""


def _select(controller: DobotController, request: Request) -> str:
    request.count(1)
    index = request.integer(0, 0, 9)
    if request.name == "tool":
        controller.state.tool = index
    else:
        controller.state.user = index
    return ""


def _output(controller: DobotController, request: Request) -> str:
    request.count(2)
    bit = 1 << (request.integer(0, 1, 24) - 1)
    on = request.integer(1, 0, 1)
    outputs = controller.state.digital_outputs
    controller.state.digital_outputs = outputs | bit if on else outputs & ~bit
    return ""


def _input(_: DobotController, request: Request) -> str:
    request.count(1)
    request.integer(0, 1, 32)
    return "0"


def _accept(_: DobotController, __: Request) -> str:
    return ""


def _forward(controller: DobotController, request: Request) -> str:
    request.count(8)
    joints = np.radians(request.numbers(0, 6))
    tool = controller.tool(request.integer(7, 0, 9))
    return values(controller.kinematics.vector(joints, tool).tolist())


def _inverse(controller: DobotController, request: Request) -> str:
    request.count(8, 10)
    tool = controller.tool(request.integer(7, 0, 9))
    seed = controller.plant.read().position
    if len(request.args) == 10 and request.integer(8, 0, 1):
        seed = np.radians(request.tuple(9, 6))
    return values(np.degrees(_solve(controller, request.numbers(0, 6), seed, tool)).tolist())


def _solve(
    controller: DobotController, vector: list[float], seed: Array, tool: tuple[float, ...]
) -> Array:
    joints = controller.kinematics.solve(np.array(vector), seed, tool)
    if joints is None:
        raise Refusal(FAILED)
    return joints


def _require_ready(controller: DobotController) -> None:
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
    _require_ready(controller)
    controller.queue.servo(joints, parameters)
    return str(controller.commands["servoj"]) if v4 else ""


def _servo_p(controller: DobotController, request: Request) -> str:
    request.count(6)
    request.only()
    vector = request.numbers(0, 6)
    _require_ready(controller)
    joints = _solve(controller, vector, controller.plant.read().target, controller.tool())
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
    _require_ready(controller)
    start = controller.queue.end
    if request.name == "movj":
        end = _solve(controller, numbers, start, controller.tool())
    else:
        end = np.radians(numbers)
        end = start + end if request.name == "reljointmovj" else end
    if alarm := limit_alarm(np.degrees(end), controller.state.settings):
        controller.state.raise_alarm(alarm)
        raise Refusal(FAILED)
    speed = controller.state.settings.max_joint_speed * _speed(controller, request, "speedj")
    duration = 1.5 * float(np.abs(np.degrees(end - start)).max()) / speed
    controller.queue.append(Motion(lambda s: start + s * (end - start), duration), end)
    return ""


def _move_line(controller: DobotController, request: Request) -> str:
    if len(request.args) != 6:
        raise Refusal(PARAMETER_COUNT)
    request.only("user", "tool", "speedl", "accl")
    goal = np.array(request.numbers(0, 6))
    _require_ready(controller)
    tool = controller.tool()
    start = controller.queue.end
    begin = controller.kinematics.vector(start, tool)
    turn = (goal[3:] - begin[3:] + 180.0) % 360.0 - 180.0
    way = np.concatenate([goal[:3] - begin[:3], turn])
    points = [start]
    for s in np.linspace(0.0, 1.0, 21)[1:]:
        points.append(_solve(controller, (begin + s * way).tolist(), points[-1], tool))
    grid, table = np.linspace(0.0, 1.0, 21), np.array(points)

    def path(s: float) -> Array:
        return np.array([np.interp(s, grid, table[:, i]) for i in range(6)])

    speed = 1000.0 * _speed(controller, request, "speedl")
    duration = 1.5 * max(float(np.linalg.norm(way[:3])) / speed, float(np.abs(turn).max()) / 90.0)
    controller.queue.append(Motion(path, duration), points[-1])
    return ""


def _stop_v4(controller: DobotController, request: Request) -> str:
    request.count(1)
    if request.integer(0, 0, 1):
        controller.state.emergency_stop()
    return ""


def _forward_v4(controller: DobotController, request: Request) -> str:
    request.count(6)
    request.only("user", "tool")
    joints = np.radians(request.numbers(0, 6))
    tool = controller.tool(int(request.option("tool", controller.state.tool, 0, 9)))
    return values(controller.kinematics.vector(joints, tool).tolist())


def _sync(_: DobotController, request: Request) -> str:
    request.count(0)
    return ""


COMMANDS: dict[Port, dict[str, Handler]] = {
    Port.DASHBOARD: {
        "poweron": _ok(lambda c: c.state.power_on()),
        "enablerobot": _enable,
        "disablerobot": _ok(lambda c: c.state.disable()),
        "clearerror": _ok(lambda c: c.state.clear()),
        "resetrobot": _ok(lambda c: c.queue.clear()),
        "emergencystop": _ok(lambda c: c.state.emergency_stop()),
        "startdrag": _drag,
        "stopdrag": _drag,
        "pause": _pause,
        "continue": _pause,
        "robotmode": _mode,
        "getangle": _angle,
        "getpose": _pose,
        "geterrorid": _errors,
        "settool": _set_tool,
        "tool": _select,
        "user": _select,
        "do": _output,
        "doexecute": _output,
        "di": _input,
        "tooldi": _input,
        "tooldo": _accept,
        "tooldoexecute": _accept,
        "payload": _accept,
        "setcollisionlevel": _accept,
        "positivesolution": _forward,
        "inversesolution": _inverse,
        **dict.fromkeys(["speedfactor", "speedj", "accj", "speedl", "accl", "cp"], _ratio),
    },
    Port.MOTION: {
        "servoj": _servo_j,
        "servop": _servo_p,
        "jointmovj": _move_joints,
        "reljointmovj": _move_joints,
        "movj": _move_joints,
        "movl": _move_line,
        "sync": _sync,
    },
}

_ONLY_V3 = (
    "resetrobot", "speedj", "speedl", "doexecute", "tooldoexecute", "positivesolution",
    "inversesolution",
)  # fmt: skip
COMMANDS_V4: dict[str, Handler] = {
    **{name: c for name, c in COMMANDS[Port.DASHBOARD].items() if name not in _ONLY_V3},
    "stop": COMMANDS[Port.DASHBOARD]["resetrobot"],
    "emergencystop": _stop_v4,
    "requestcontrol": _accept,
    "velj": _ratio,
    "vell": _ratio,
    "doinstant": _output,
    "tooldoinstant": _accept,
    "positivekin": _forward_v4,
    "servoj": _servo_j,
}
"""Commands of protocol V4 that are emulated; all of them arrive on the dashboard port."""
