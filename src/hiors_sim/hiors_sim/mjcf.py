# SPDX-License-Identifier: Apache-2.0
"""The MJCF model of the X-Trainer at its table.

The world frame is the base frame of the task's arm.

Joint frames come from the Denavit-Hartenberg rows of the robot file; links are drawn, but only
fingers, box, plate and
table collide. Knows nothing of time or control.
"""

import math
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from hiors_core.robot import Arm, RobotModel
from hiors_sim.mjcf_scene import add_assets, add_box, add_lights, add_plate
from hiors_sim.mjcf_text import TO_FINGER, element, geom, numbers
from hiors_sim.task import SimTask

Array = NDArray[np.float64]

TIMESTEP = 1.0 / 240.0
"""Physics step [s]: eight to a control tick at 30 Hz."""
CLOSED_HALF = 0.0125
"""Distance of each finger from the middle when the gripper is closed [m]."""
STROKE = 0.0406
"""Way of each finger from closed to open [m]."""
OTHER_BASE = (0.0, -1.06, math.pi)
"""The other arm's base in this arm's base frame: x, y [m], yaw [rad]; the arms face each other."""
STIFFNESS = (9000.0, 9000.0, 6000.0, 2000.0, 1200.0, 800.0)
"""Position servo of each joint [N m/rad]; forces in the hole bend the arm by a millimetre or two.
"""
DAMPING = (400.0, 400.0, 250.0, 70.0, 40.0, 25.0)
"""[N m s/rad]."""
_FORCE = (150.0, 150.0, 80.0, 30.0, 30.0, 20.0)
_ARMATURE = (1.0, 1.0, 0.6, 0.2, 0.15, 0.1)
_MASSES = (0.803, 1.578, 0.999, 0.442, 0.575, 0.124)
_PAD = {
    "friction": "1.3 0.02 0.0002",
    "condim": "4",
    "priority": "1",
    "solref": "0.01 1",
    "solimp": "0.95 0.99 0.0005",
}
_PARKED = (0.0, 0.0, 0.0, -0.40, 0.0, -math.pi / 2)


def build_mjcf(robot: RobotModel, task: SimTask) -> str:
    """Return the model as XML: the robot's arms move; the X-Trainer's other arm is parked when it
    is not among them.
    """
    root = ET.Element("mujoco", model=f"{robot.name}_{task.task.name}")
    _options(root)
    add_assets(root)
    world = element(root, "worldbody")
    add_lights(world, task.scene)
    add_plate(world, task.scene)
    add_box(world, task.scene)
    actuators = element(root, "actuator")
    equality = element(root, "equality")
    main = robot.arm(task.task.arm)
    _add_arm(world, main, (0.0, 0.0, 0.0), actuators, equality)
    others = [arm for arm in robot.arms if arm is not main]
    for arm in others:
        _add_arm(world, arm, OTHER_BASE, actuators, equality)
    if not others:
        _add_parked(world, main)
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
    base: tuple[float, float, float],
    actuators: ET.Element,
    equality: ET.Element,
) -> None:
    body = _base(world, arm.name, base)
    tool = _chain(body, arm, arm.name, moving=True, posture=arm.home)
    for i, joint in enumerate(arm.joints):
        element(
            actuators,
            "position",
            name=joint,
            joint=joint,
            kp=numbers(STIFFNESS[i]),
            kv=numbers(DAMPING[i]),
            forcerange=numbers(-_FORCE[i], _FORCE[i]),
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


def _add_parked(world: ET.Element, main: Arm) -> None:
    """Draw the other arm standing still, its wrist camera turned to the work plate."""
    name = "right" if main.name == "left" else "left"
    body = _base(world, name, OTHER_BASE)
    posture = -main.home + np.array(_PARKED)[: main.home.size]
    tool = _chain(body, main, name, moving=False, posture=posture)
    _gripper(tool, name, moving=False, opening=1.0, tip=float(main.tool[2]))


def _base(world: ET.Element, name: str, base: tuple[float, float, float]) -> ET.Element:
    x, y, yaw = base
    quat = numbers(math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))
    body = element(world, "body", name=f"{name}_base", pos=numbers(x, y, 0.0), quat=quat)
    geom(body, "cylinder", size=(0.078, 0.02), pos=(0, 0, 0.02), material="graphite")
    geom(body, "cylinder", size=(0.064, 0.055), pos=(0, 0, 0.09), material="shell")
    return body


def _chain(base: ET.Element, arm: Arm, prefix: str, *, moving: bool, posture: Array) -> ET.Element:
    """Add one body a joint and return the body of the flange."""
    parent, place, turn = base, np.zeros(3), 0.0
    for i, (offset, d, a, alpha) in enumerate(arm.dh):
        angle = offset if moving else offset + posture[i]
        quat = _product((math.cos(turn / 2), math.sin(turn / 2), 0, 0), _about_z(angle))
        body = element(
            parent,
            "body",
            name=f"{prefix}_link{i + 1}",
            pos=numbers(*place),
            quat=numbers(*quat),
            gravcomp="1",
        )
        if moving:
            _joint(body, arm, i)
        _draw_link(body, i, float(d), float(a))
        parent, place, turn = body, np.array([a, 0.0, d]), float(alpha)
    quat = (math.cos(turn / 2), math.sin(turn / 2), 0.0, 0.0)
    return element(
        parent,
        "body",
        name=f"{prefix}_flange",
        pos=numbers(*place),
        quat=numbers(*quat),
        gravcomp="1",
    )


def _joint(body: ET.Element, arm: Arm, i: int) -> None:
    limits = arm.limits
    element(
        body,
        "joint",
        name=arm.joints[i],
        axis="0 0 1",
        range=numbers(float(limits.lower[i]), float(limits.upper[i])),
        armature=numbers(_ARMATURE[i]),
    )
    inertia = numbers(*([0.004 * _MASSES[i]] * 3))
    element(body, "inertial", pos="0 0 0", mass=numbers(_MASSES[i]), diaginertia=inertia)


def _draw_link(body: ET.Element, i: int, d: float, a: float) -> None:
    """Draw housings around the joint axis (z) and the tube to the next joint.

    The two long links lie beside the shoulder's plane, as on the real arm; the figures are for
    looks only.
    """
    if i == 0:
        geom(body, "cylinder", size=(0.058, 0.05), pos=(0, 0, d - 0.055), material="shell")
        geom(body, "sphere", size=(0.058,), pos=(0, 0, d), material="shell")
    elif i == 1:
        geom(body, "cylinder", size=(0.056, 0.085), pos=(0, 0, 0.055), material="shell")
        geom(body, "cylinder", size=(0.057, 0.008), pos=(0, 0, 0.148), material="accent")
        geom(body, "capsule", size=(0.043,), fromto=(0, 0, 0.105, a, 0, 0.105), material="shell")
    elif i == 2:
        geom(body, "cylinder", size=(0.048, 0.085), pos=(0, 0, 0.07), material="graphite")
        geom(body, "cylinder", size=(0.049, 0.008), pos=(0, 0, 0.160), material="accent")
        geom(body, "capsule", size=(0.036,), fromto=(0, 0, 0.025, a, 0, 0.025), material="shell")
    elif i == 3:
        geom(body, "cylinder", size=(0.040, 0.07), pos=(0, 0, 0.05), material="graphite")
        geom(body, "sphere", size=(0.041,), pos=(0, 0, d), material="shell")
    elif i == 4:
        geom(body, "cylinder", size=(0.037, 0.05), pos=(0, 0, d / 2), material="shell")
        geom(body, "sphere", size=(0.039,), pos=(0, 0, d), material="shell")
    else:
        geom(body, "cylinder", size=(0.036, 0.03), pos=(0, 0, d - 0.032), material="graphite")
        geom(body, "cylinder", size=(0.037, 0.004), pos=(0, 0, d - 0.004), material="accent")


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
    geom(
        finger,
        "box",
        size=(0.004, 0.010, 0.022),
        pos=(sign * 0.004, 0, -0.010),
        material="rubber",
        attributes={**_PAD, **TO_FINGER},
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


def _about_z(angle: float) -> tuple[float, float, float, float]:
    return math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)


def _product(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    return (
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    )
