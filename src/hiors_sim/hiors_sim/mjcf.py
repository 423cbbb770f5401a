# SPDX-License-Identifier: Apache-2.0
"""The MJCF model of a robot with its task. The world frame is the base frame of the task's arm.

Joint frames come from the Denavit-Hartenberg rows of the robot file. Links are drawn, but only
fingers and the things of the task collide. Knows nothing of time or control.
"""

import dataclasses
import math
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_core.geometry import matrix_to_quat
from hiors_core.kinematics import mount_matrix
from hiors_core.robot import Arm, RobotModel
from hiors_sim.embodiment import Base, Embodiment
from hiors_sim.embodiments import embodiment_of
from hiors_sim.mjcf_text import TO_FINGER, element, geom, numbers
from hiors_sim.sim_task import SimTask

Array = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]
"""w x y z, as MJCF has it."""

TIMESTEP = 1.0 / 240.0
"""Physics step [s]: eight to a control tick at 30 Hz."""
CLOSED_HALF = 0.0125
"""Distance of each finger from the middle when the gripper is closed [m]."""
STROKE = 0.0406
"""Way of each finger from closed to open [m]."""
_PAD = {
    "friction": "1.3 0.02 0.0002",
    "condim": "4",
    "priority": "1",
    "solref": "0.01 1",
    "solimp": "0.95 0.99 0.0005",
}


def build_mjcf(robot: RobotModel, task: SimTask) -> str:
    """Return the model as XML: the robot's arms move; the arm that it lacks is drawn parked."""
    embodiment = embodiment_of(robot)
    root = ET.Element("mujoco", model=f"{robot.name}_{task.task.name}")
    _options(root)
    world = element(root, "worldbody")
    task.build(root, world)
    embodiment.draw_body(world)
    actuators = element(root, "actuator")
    equality = element(root, "equality")
    main = robot.arm(task.task.arm)
    _add_arm(world, main, embodiment, (0.0, 0.0, 0.0), actuators, equality)
    others = [arm for arm in robot.arms if arm is not main]
    for arm in others:
        _add_arm(world, arm, embodiment, embodiment.other_base, actuators, equality)
    if not others:
        _add_parked(world, main, embodiment)
    return ET.tostring(root, encoding="unicode")


def _options(root: ET.Element) -> None:
    element(root, "compiler", angle="radian", autolimits="true")
    # With the pyramidal cone a box held still creeps out of the fingers by 2 mm a second.
    cone = {"cone": "elliptic", "impratio": "20"}
    option = element(root, "option", timestep=repr(TIMESTEP), integrator="implicitfast", **cone)
    element(option, "flag", nativeccd="enable")
    visual = element(root, "visual")
    element(visual, "global", offwidth="1920", offheight="1080")
    element(visual, "headlight", ambient=".42 .42 .44", diffuse=".14 .14 .14", specular="0 0 0")
    element(visual, "quality", shadowsize="4096")
    element(visual, "map", znear="0.01", zfar="20")


def _add_arm(
    world: ET.Element,
    arm: Arm,
    embodiment: Embodiment,
    base: Base,
    actuators: ET.Element,
    equality: ET.Element,
) -> None:
    body = _base(world, arm.name, embodiment, base)
    tool = _chain(body, arm, embodiment, posture=None)
    for i, joint in enumerate(arm.joints):
        most = embodiment.force[i]
        element(
            actuators,
            "position",
            name=joint,
            joint=joint,
            kp=numbers(embodiment.stiffness[i]),
            kv=numbers(embodiment.damping[i]),
            forcerange=numbers(-most, most),
        )
    _gripper(tool, arm.name, moving=True, opening=arm.home_gripper, tip=float(arm.tool[2]))
    for side in ("a", "b"):
        name = f"{arm.name}_finger_{side}"
        limits = {"kp": "3000", "kv": "60", "forcerange": "-25 25"}
        element(actuators, "position", name=name, joint=name, **limits)
    element(
        equality,
        "joint",
        joint1=f"{arm.name}_finger_a",
        joint2=f"{arm.name}_finger_b",
        polycoef="0 1 0 0 0",
    )


def _add_parked(world: ET.Element, main: Arm, embodiment: Embodiment) -> None:
    """Draw the other arm standing still."""
    name = "right" if main.name == "left" else "left"
    other, posture = embodiment.parked(main)
    body = _base(world, name, embodiment, embodiment.other_base)
    tool = _chain(body, dataclasses.replace(other, name=name), embodiment, posture=posture)
    _gripper(tool, name, moving=False, opening=1.0, tip=float(main.tool[2]))


def _base(world: ET.Element, name: str, embodiment: Embodiment, base: Base) -> ET.Element:
    x, y, yaw = base
    quat = numbers(math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))
    body = element(world, "body", name=f"{name}_base", pos=numbers(x, y, 0.0), quat=quat)
    embodiment.draw_base(body)
    return body


def _chain(
    base: ET.Element, arm: Arm, embodiment: Embodiment, *, posture: Array | None
) -> ET.Element:
    """Add one body a joint, fixed when there is a ``posture``, and return the flange's body."""
    mount = mount_matrix(arm.mount)
    parent, place, turn = base, mount[:3, 3], _wxyz(mount)
    for i, (offset, d, a, alpha) in enumerate(arm.dh):
        angle = offset if posture is None else offset + posture[i]
        body = element(
            parent,
            "body",
            name=f"{arm.name}_link{i + 1}",
            pos=numbers(*place),
            quat=numbers(*_product(turn, _about_z(angle))),
            gravcomp="1",
        )
        if posture is None:
            _joint(body, arm, i, embodiment)
        embodiment.draw_link(body, i, float(d), float(a))
        parent, place = body, np.array([a, 0.0, d])
        turn = (math.cos(alpha / 2), math.sin(alpha / 2), 0.0, 0.0)
    return element(
        parent,
        "body",
        name=f"{arm.name}_flange",
        pos=numbers(*place),
        quat=numbers(*turn),
        gravcomp="1",
    )


def _joint(body: ET.Element, arm: Arm, i: int, embodiment: Embodiment) -> None:
    limits, mass = arm.limits, embodiment.masses[i]
    element(
        body,
        "joint",
        name=arm.joints[i],
        axis="0 0 1",
        range=numbers(float(limits.lower[i]), float(limits.upper[i])),
        armature=numbers(embodiment.armature[i]),
    )
    inertia = numbers(*([0.004 * mass] * 3))
    element(body, "inertial", pos="0 0 0", mass=numbers(mass), diaginertia=inertia)


def _gripper(flange: ET.Element, prefix: str, *, moving: bool, opening: float, tip: float) -> None:
    """Add palm, fingers (sliding along the flange's x), tool site and wrist camera."""
    if moving:
        element(flange, "inertial", pos="0 0 .06", mass="0.5", diaginertia=".0006 .0006 .0006")
    geom(flange, "cylinder", size=(0.031, 0.014), pos=(0, 0, 0.014), material="steel")
    geom(flange, "box", size=(0.062, 0.026, 0.032), pos=(0, 0, 0.060), material="graphite")
    geom(flange, "box", size=(0.063, 0.018, 0.004), pos=(0, 0, 0.093), material="steel")
    element(
        flange,
        "site",
        name=f"{prefix}_tool",
        pos=numbers(0, 0, tip),
        size="0.003",
        rgba="0 0 0 0",
    )
    for side, sign in (("a", 1.0), ("b", -1.0)):
        start = 0.0 if moving else opening * STROKE
        finger = element(
            flange,
            "body",
            name=f"{prefix}_finger_{side}_body",
            pos=numbers(sign * (CLOSED_HALF + start), 0, tip),
            gravcomp="1",
        )
        if moving:
            element(
                finger,
                "joint",
                name=f"{prefix}_finger_{side}",
                type="slide",
                axis=numbers(sign, 0, 0),
                range=numbers(0.0, STROKE),
                armature="0.25",
            )
            element(
                finger, "inertial", pos="0 0 0", mass=".06", diaginertia=".00003 .00003 .00001"
            )
        _draw_finger(finger, sign)
    _wrist_camera(flange, prefix)


def _draw_finger(finger: ET.Element, sign: float) -> None:
    name = finger.attrib["name"].replace("_finger_", "_pad_").removesuffix("_body")
    geom(
        finger,
        "box",
        size=(0.004, 0.010, 0.022),
        pos=(sign * 0.004, 0, -0.010),
        material="rubber",
        attributes={
            "name": name,
            **_PAD,
            **TO_FINGER,
        },
    )
    geom(
        finger, "box", size=(0.005, 0.009, 0.052), pos=(sign * 0.012, 0, -0.044), material="steel"
    )
    geom(
        finger, "box", size=(0.010, 0.009, 0.008), pos=(sign * 0.004, 0, -0.092), material="steel"
    )


def _wrist_camera(flange: ET.Element, prefix: str) -> None:
    mount = element(flange, "body", name=f"{prefix}_camera", pos="0 -0.080 0.050")
    geom(mount, "box", size=(0.021, 0.012, 0.012), material="graphite")
    geom(mount, "box", size=(0.012, 0.030, 0.003), pos=(0, 0.030, -0.010), material="steel")
    tilt = 0.36
    element(
        mount,
        "camera",
        name=f"{prefix}_wrist",
        pos="0 0 0.014",
        xyaxes=numbers(-1, 0, 0, 0, math.cos(tilt), -math.sin(tilt)),
        fovy="62",
    )


def _wxyz(matrix: Array) -> Quaternion:
    x, y, z, w = matrix_to_quat(matrix[:3, :3]).tolist()
    return w, x, y, z


def _about_z(angle: float) -> Quaternion:
    return math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)


def _product(a: Quaternion, b: Quaternion) -> Quaternion:
    return (
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    )
