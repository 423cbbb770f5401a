# SPDX-License-Identifier: Apache-2.0
"""The room of the robot: its driver and cameras; in simulation the simulated robot behind it."""

import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from hiors.middleware import transport_env
from hiors.robot_file import NodeSection, driver_section, node_parameters, node_section
from hiors.run import Run
from hiors.spec import NodeSpec
from hiors_core.checked import mapping
from hiors_core.errors import InvalidValue, UnknownName


def robot_nodes(run: Run) -> Iterator[NodeSpec]:
    """Yield the driver, and the cameras or the simulated robot."""
    driver = driver_section(run.robot_file)
    parameters = dict(driver.parameters)
    if run.args.sim:
        if run.robot.name not in _SIMULATORS:
            known = " and ".join(_SIMULATORS)
            raise InvalidValue(
                f"There is no simulator of the robot {run.robot.name}, only of {known}:"
                " say sim:=false."
            )
        simulator, reached_by = _SIMULATORS[run.robot.name]
        sim = reached_by(run)
        parameters |= sim
        yield run.node(
            "hiors_sim_ros",
            simulator,
            "sim",
            parameters={
                **run.common,
                **sim,
                "seed": run.args.seed,
                "images": run.args.cameras,
            },
        )
    elif cameras := node_section(run.robot_file, "camera_driver", "cameras"):
        yield from _camera_nodes(run, cameras)
    yield run.node(
        driver.package,
        driver.executable,
        "driver",
        parameters={**run.machine, **run.of_arms(parameters)},
    )


def _camera_nodes(run: Run, driver: NodeSection) -> Iterator[NodeSpec]:
    """Yield the node of each camera in use that the robot file names with its parameters."""
    where = f"{driver.where}.cameras"
    cameras = mapping(driver.more["cameras"], where, "camera names to parameters")
    for name, parameters in cameras.items():
        if name not in run.robot.cameras:
            raise UnknownName("camera", name, run.robot.cameras, f"In {driver.where}.")
        if name in run.cameras:
            yield NodeSpec(
                package=driver.package,
                executable=driver.executable,
                name=name,
                namespace=f"{run.args.namespace.strip('/')}/camera",
                parameters={**driver.parameters, **node_parameters(parameters, f"{where}.{name}")},
                env=transport_env(raw_images=True),
                required=False,
                respawn=True,
            )


def _dobot_addresses(run: Run) -> dict[str, Any]:
    """Give each arm a loopback address of its own, another in each ROS domain and namespace."""
    domain = int(os.environ.get("ROS_DOMAIN_ID", "0") or 0)
    name = run.args.namespace.strip("/")
    share = zlib.crc32(name.encode())
    network, pair = (1 + share % 254, share // 254 % 126) if name else (0, 0)
    addresses: dict[str, Any] = {}
    for index, arm in enumerate(run.arms):
        addresses[f"{arm}.host"] = f"127.{network}.{domain}.{2 * pair + index + 1}"
        addresses[f"{arm}.gripper_port"] = run.folder / "devices" / f"{arm}_gripper"
    return addresses


def _tora_names(run: Run) -> dict[str, Any]:
    """Put the simulated robot's own topics where its driver looks for them."""
    return {"robot_namespace": "tora"}


_SIMULATORS: dict[str, tuple[str, Callable[[Run], dict[str, Any]]]] = {
    "xtrainer": ("xtrainer_sim_node", _dobot_addresses),
    "tora_one": ("tora_sim_node", _tora_names),
}
"""Which executable simulates a robot, and the parameters that it shares with the driver."""
