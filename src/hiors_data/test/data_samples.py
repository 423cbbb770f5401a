# SPDX-License-Identifier: Apache-2.0
"""Recordings of a robot that has never heard of hiors, and what reads them."""

from functools import cache
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from hiors_core.cdr import make
from hiors_core.robot import RobotModel, load_robot
from hiors_core.stamps import time_fields
from hiors_core.task import Task, load_task

ROOT = Path(__file__).parents[3]
START = 1_700_000_000 * 10**9
JOINTS = [f"joint_a{i}" for i in range(1, 7)]

MAP = """
measured:
  - topic: /arm/state
    columns:
      {left_joint1: joint_a1, left_joint2: joint_a2, left_joint3: joint_a3,
       left_joint4: joint_a4, left_joint5: joint_a5, left_joint6: joint_a6}
  - topic: /hand/width
    columns: {left_gripper: {at: 0, scale: 12.5}}    # 0 .. 0.08 m
objects:
  box: /seen/box
  hole: /seen/hole
cameras: {top: /eye/image}
"""


@cache
def robot() -> RobotModel:
    return load_robot(ROOT / "config/robots/xtrainer.yaml", ["left"])


@cache
def task() -> Task:
    return load_task(ROOT / "config/tasks/insert_moisturizer.yaml")


def position(t: float) -> np.ndarray:
    """Arm (6,) [rad] at time t [s]."""
    return robot().home[:6] + 0.1 * np.sin(t)


def write_bag(
    folder: Path,
    seconds: float = 3.0,
    rate: float = 50.0,
    storage: StoragePlugin = StoragePlugin.MCAP,
    keep=lambda t: True,
    scale: float = 1.0,
    image_encoding: str = "bgr8",
) -> Path:
    """Write what a stranger's robot records: arm, hand, two objects, a camera."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {
        "/arm/state": "sensor_msgs/msg/JointState",
        "/hand/width": "std_msgs/msg/Float32",
        "/seen/box": "geometry_msgs/msg/PoseStamped",
        "/seen/hole": "geometry_msgs/msg/PoseStamped",
        "/eye/image": "sensor_msgs/msg/Image",
        "/rosout": "rcl_interfaces/msg/Log",
    }
    with Writer(folder, version=9, storage_plugin=storage) as writer:
        channels = {
            name: writer.add_connection(name, kind, typestore=store)
            for name, kind in types.items()
        }

        def put(topic: str, stamp: int, **fields: object) -> None:
            message = make(types[topic], **fields)
            data = store.serialize_cdr(message, types[topic])
            writer.write(channels[topic], stamp + 2_000_000, data)

        for i in range(round(seconds * rate) + 1):
            t = i / rate
            stamp = START + round(t * 1e9)
            if not keep(t):
                continue
            header = {"stamp": time_fields(stamp)}
            put("/arm/state", stamp, header=header, name=JOINTS, position=scale * position(t))
            put("/hand/width", stamp, data=0.08 if t < seconds / 2 else 0.02)
            pose = {"position": {"x": t, "y": -0.3, "z": 0.1}, "orientation": {"w": 1.0}}
            put("/seen/box", stamp, header=header, pose=pose)
            put("/seen/hole", stamp, header=header, pose=pose)
            if i % 5 == 0:
                pixels = np.zeros((12, 16, 3), np.uint8)
                pixels[..., 0] = i % 256
                put(
                    "/eye/image", stamp, header=header, height=12, width=16, step=48,
                    encoding=image_encoding, data=pixels,
                )  # fmt: skip
    return folder
