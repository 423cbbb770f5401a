# SPDX-License-Identifier: Apache-2.0
"""The commands of the emulated controller, one function each: (controller, request) -> value of
the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hiors_sim.dobot_moves import MOTIONS, Handler, solve, wait
from hiors_sim.dobot_text import FAILED, Port, Refusal, Request, values

if TYPE_CHECKING:
    from hiors_sim.dobot_controller import DobotController


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


def _brake(controller: DobotController, request: Request) -> str:
    request.count(2)
    request.integer(0, 1, 6)
    request.integer(1, 0, 1)
    if controller.state.enabled:
        raise Refusal(FAILED)
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
    return values(np.degrees(solve(controller, request.numbers(0, 6), seed, tool)).tolist())


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
        "setcollidedrag": _accept,
        "brakecontrol": _brake,
        "wait": wait,
        "positivesolution": _forward,
        "inversesolution": _inverse,
        **dict.fromkeys(["speedfactor", "speedj", "accj", "speedl", "accl", "cp"], _ratio),
    },
    Port.MOTION: MOTIONS,
}
