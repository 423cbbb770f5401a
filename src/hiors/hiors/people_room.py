# SPDX-License-Identifier: Apache-2.0
"""The room of the people: the device that takes over, real or in scripted hands; the console."""

from collections.abc import Iterator

from hiors.places import config_file
from hiors.robot_file import node_parameters, node_section
from hiors.run import Run
from hiors.spec import NodeSpec
from hiors_core.checked import read_yaml
from hiors_core.errors import InvalidValue


def people_nodes(run: Run) -> Iterator[NodeSpec]:
    """Yield what a person takes over with, and what shows the robot to people."""
    if run.args.teleop == "scripted":
        yield run.node(
            "hiors_sim_ros",
            "operator_node",
            "operator",
            parameters={
                **run.common,
                "seed": run.args.seed,
                "demonstrate": run.args.demonstrate,
            },
        )
    elif run.args.teleop == "quest":
        yield run.node("hiors_quest", "quest_node", "quest", parameters=run.machine)
    elif run.args.teleop == "leader":
        yield from _leader(run)
    elif run.args.teleop == "joy":
        preset = read_yaml(config_file("teleop", run.args.joy), "preset")
        yield run.node("hiors_teleop", "joy_node", "joy_teleop", parameters=run.machine | preset)
    if run.args.console or run.args.teleop == "console":
        yield run.node(
            "hiors_console",
            "console_node",
            "console",
            parameters={
                **run.machine,
                "store": run.store,
                "run_dir": run.folder,
                "cameras": run.cameras,
                "drive": run.args.teleop == "console",
            },
            required=run.args.teleop == "console",
            respawn=True,
        )


def _leader(run: Run) -> Iterator[NodeSpec]:
    leader = node_section(run.robot_file, "leader", optional=["simulated"])
    if leader is None:
        raise InvalidValue(f"{run.robot_file} has no section 'leader': teleop:=leader needs one.")
    parameters = dict(leader.parameters)
    if run.args.sim:
        unit = node_parameters(leader.more.get("simulated"), f"{leader.where}.simulated")
        ports = {f"{arm}.port": run.folder / "devices" / f"{arm}_leader" for arm in run.arms}
        sim = {**unit, **ports}
        parameters |= sim
        person = {"seed": run.args.seed, "demonstrate": run.args.demonstrate}
        yield run.node(
            "hiors_sim_ros",
            "leader_sim_node",
            "leader_sim",
            parameters={**run.common, **person, **run.of_arms(sim)},
        )
    # While demonstrating there is no policy to give the robot back to.
    choices = {"release_to": "hold" if run.args.demonstrate else "policy"}
    yield run.node(
        leader.package,
        leader.executable,
        "leader",
        parameters={**run.machine, **choices, **run.of_arms(parameters)},
    )
