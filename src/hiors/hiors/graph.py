# SPDX-License-Identifier: Apache-2.0
"""The graph of hiors: which nodes run with which parameters, for given arguments. Imports no ROS.

`hiors up` and the launch files both start what is said here; nothing of it is said twice.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiors import places
from hiors.arguments import BringupArgs
from hiors.description import PUBLISHER, is_installed, state_publisher
from hiors.middleware import transport_env
from hiors.overrides import apply_overrides
from hiors.spec import Graph, NodeSpec, ProcessSpec
from hiors_core.checked import read_yaml
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.robot import RobotModel, load_robot
from hiors_core.task import load_task

ROOMS = ("robot", "arbiter", "policy", "episodes", "bridge", "people", "learner")
"""The parts of the graph."""
_SEES_IMAGES = ("policy", "recorder", "console")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The arguments with the files and folders that they mean."""

    args: BringupArgs
    robot_file: Path
    task_file: Path
    learner_file: Path
    folder: Path
    robot: RobotModel

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms in use."""
        return tuple(arm.name for arm in self.robot.arms)

    @property
    def machine(self) -> dict[str, Any]:
        """Parameters of every node that knows the robot."""
        return {"robot_file": self.robot_file, "arms": self.arms}

    @property
    def common(self) -> dict[str, Any]:
        """Parameters of every node that knows robot and task."""
        return {**self.machine, "task_file": self.task_file}

    @property
    def store(self) -> Path:
        """Where episodes are recorded."""
        return self.folder / ("demos" if self.args.demonstrate else "store")

    @property
    def checkpoints(self) -> Path:
        """Where the learner publishes and the policy node looks."""
        return self.folder / "checkpoints"

    def node(self, package: str, executable: str, name: str, **other: Any) -> NodeSpec:
        """Return a node in the run's namespace."""
        # Simulated images are small; frames of real cameras need shared memory.
        raw_images = name in _SEES_IMAGES and self.args.cameras and not self.args.sim
        return NodeSpec(
            package=package,
            executable=executable,
            name=name,
            namespace=self.args.namespace,
            env=transport_env(raw_images=raw_images),
            **other,
        )


def build_graph(args: BringupArgs, rooms: Collection[str] = ROOMS) -> Graph:
    """Return what runs for the arguments, with the user's parameter file over it.

    Args:
        rooms: parts of the graph; all of them by default.
    """
    run = resolve(args)
    makers: dict[str, Callable[[Run], Iterable[NodeSpec]]] = {
        "robot": _robot,
        "arbiter": _arbiter,
        "policy": _policy,
        "episodes": _episodes,
        "bridge": _bridge,
        "people": _people,
    }
    for room in rooms:
        if room not in ROOMS:
            raise UnknownName("room of the graph", room, ROOMS)
    wanted = [room for room in rooms if room in _rooms_of(args)]
    nodes = tuple(node for room in wanted if room in makers for node in makers[room](run))
    processes = (_learner(run),) if "learner" in wanted else ()
    graph = Graph(nodes=nodes, processes=processes)
    return apply_overrides(graph, Path(args.params)) if args.params else graph


def _rooms_of(args: BringupArgs) -> set[str]:
    leave_out = set()
    if args.demonstrate:
        leave_out |= {"policy", "bridge", "learner"}
    if args.learner == "none":
        leave_out |= {"bridge", "learner"}
    elif args.learner != "local":
        leave_out |= {"learner"}
    return set(ROOMS) - leave_out


def resolve(args: BringupArgs) -> Run:
    """Find the files that the arguments name."""
    robot_file, task_file = config_file("robots", args.robot), config_file("tasks", args.task)
    learner_file = Path(args.learner_config).resolve() if args.learner_config else None
    if learner_file and not learner_file.is_file():
        raise InvalidValue(f"learner_config names {learner_file}, which is not a file.")
    if args.policy and not (Path(args.policy) / "manifest.json").is_file():
        raise InvalidValue(
            f"policy:={args.policy} is no checkpoint: give a folder with manifest.json and"
            " model.safetensors, such as RUN/checkpoints/v000100."
        )
    robot = load_robot(robot_file, None if args.arms == "both" else [args.arms])
    _check_robot(task_file, robot.name)
    return Run(
        args=args,
        robot_file=robot_file,
        task_file=task_file,
        learner_file=learner_file or config_file("learner", "default"),
        folder=Path(args.run_dir).resolve(),
        robot=robot,
    )


def _check_robot(task_file: Path, robot: str) -> None:
    needed = load_task(task_file).robot
    if needed not in ("", robot):
        raise InvalidValue(
            f"task:={task_file.stem} is done by the robot {needed}, not {robot}:"
            f" say robot:={needed}, or choose another task."
        )


def config_file(kind: str, name: str) -> Path:
    """Return ``config/<kind>/<name>.yaml``, or raise UnknownName with those that exist; a name
    that ends in .yaml is the path of a file of the user's own.
    """
    if name.endswith(".yaml"):
        own = Path(name).resolve()
        if not own.is_file():
            raise InvalidValue(f"{own} is not a file.")
        return own
    folder = places.config() / kind
    path = folder / f"{name}.yaml"
    if Path(name).name != name or not path.is_file():
        known = (p.stem for p in folder.glob("*.yaml"))
        raise UnknownName(f"file in config/{kind}", name, known)
    return path


def learner_program() -> tuple[str, ...]:
    """Return what runs the training process under DeepSpeed's launcher."""
    return (str(places.interpreter()), "-m", "hiors_learner.launch")


def prepare(args: BringupArgs) -> Path:
    """Make the folders of the run and return its root."""
    root = Path(args.run_dir).resolve()
    try:
        for name in ("store", "demos", "link/inbox", "checkpoints", "devices", "logs"):
            (root / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidValue(
            f"run_dir:={root} cannot be made ({error.strerror}): give a folder that you may write."
        ) from error
    return root


def _robot(run: Run) -> Iterator[NodeSpec]:
    section = read_yaml(run.robot_file, "robot file").get("driver")
    if section is None:
        raise InvalidValue(f"{run.robot_file} has no section 'driver': which node drives it?")
    parameters = dict(section.get("parameters", {}))
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
    yield run.node(
        section["package"],
        section["executable"],
        "driver",
        parameters={
            **run.machine,
            **_of_arms(parameters, run.arms),
        },
    )


def _dobot_addresses(run: Run) -> dict[str, Any]:
    """Give each arm a loopback address of its own, another in each ROS domain."""
    domain = int(os.environ.get("ROS_DOMAIN_ID", "0") or 0)
    addresses: dict[str, Any] = {}
    for index, arm in enumerate(run.arms):
        addresses[f"{arm}.host"] = f"127.0.{domain}.{index + 1}"
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


def _of_arms(parameters: Mapping[str, Any], arms: tuple[str, ...]) -> dict[str, Any]:
    """Leave out the parameters of arms that are not in use."""
    return {
        name: value
        for name, value in parameters.items()
        if "." not in name or name.split(".")[0] in arms
    }


def _arbiter(run: Run) -> Iterator[NodeSpec]:
    yield run.node("hiors_control", "arbiter_node", "arbiter", parameters=run.machine)
    if run.args.markers:
        yield run.node(
            "hiors_control",
            "markers_node",
            "markers",
            parameters=run.machine,
            required=False,
            respawn=True,
        )
        # Only a ROS installation has it; the wheels also lack the messages of tf.
        if is_installed(PUBLISHER):
            yield state_publisher(run.robot_file, run.arms, run.args.namespace)


def _policy(run: Run) -> Iterator[NodeSpec]:
    yield run.node(
        "hiors_control",
        "policy_node",
        "policy",
        parameters={
            **run.common,
            "checkpoint": run.args.policy,
            "checkpoints": run.checkpoints,
            "seed": run.args.seed,
        },
        lifecycle=True,
    )


def _episodes(run: Run) -> Iterator[NodeSpec]:
    store = {"store": run.store}
    # A simulated scene can be laid out anew by seed; a real one is a person's work.
    choices = {
        "record_images": run.args.cameras,
        "reset_scene": run.args.sim,
        "start_policy": not run.args.demonstrate,
    }
    yield run.node(
        "hiors_recorder", "recorder_node", "recorder", parameters=run.common | store | choices
    )
    yield run.node("hiors_reward", "label_node", "label", parameters=store)


def _bridge(run: Run) -> Iterator[NodeSpec]:
    parameters = {
        "store": run.store,
        "link": run.folder / "link",
        "checkpoints": run.checkpoints,
        "learner": run.args.learner,
        "actor": run.args.namespace.strip("/").replace("/", "-") or "robot",
        "keys": run.args.keys,
    }
    yield run.node("hiors_bridge", "bridge_node", "bridge", parameters=run.common | parameters)


def _people(run: Run) -> Iterator[NodeSpec]:
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
                "cameras": _cameras_of(run),
                "drive": run.args.teleop == "console",
            },
            required=run.args.teleop == "console",
            respawn=True,
        )


def _leader(run: Run) -> Iterator[NodeSpec]:
    section = read_yaml(run.robot_file, "robot file").get("leader")
    if section is None:
        raise InvalidValue(f"{run.robot_file} has no section 'leader': teleop:=leader needs one.")
    parameters = dict(section.get("parameters", {}))
    if run.args.sim:
        sim = section["simulated"] | {
            f"{arm}.port": run.folder / "devices" / f"{arm}_leader" for arm in run.arms
        }
        parameters |= sim
        person = {"seed": run.args.seed, "demonstrate": run.args.demonstrate}
        yield run.node(
            "hiors_sim_ros",
            "leader_sim_node",
            "leader_sim",
            parameters={**run.common, **person, **_of_arms(sim, run.arms)},
        )
    # While demonstrating there is no policy to give the robot back to.
    choices = {"release_to": "hold" if run.args.demonstrate else "policy"}
    yield run.node(
        section["package"],
        section["executable"],
        "leader",
        parameters={**run.machine, **choices, **_of_arms(parameters, run.arms)},
    )


def _cameras_of(run: Run) -> tuple[str, ...]:
    """Leave out the cameras on arms that are not in use; without cameras there are none."""
    others = [f"{name}_" for name in ("left", "right") if name not in run.arms]
    names = run.robot.cameras if run.args.cameras else ()
    return tuple(n for n in names if not n.startswith(tuple(others)))


def _learner(run: Run) -> ProcessSpec:
    files = {
        "--robot": run.robot_file,
        "--task": run.task_file,
        "--config": run.learner_file,
        "--run": run.folder,
        "--policy": run.args.sees,
    }
    words = [str(word) for pair in files.items() for word in pair]
    listen = ["--listen", run.args.listen] if run.args.listen else []
    keys = ["--keys", run.args.keys] if run.args.listen and run.args.keys else []
    # What the run has published goes before what it began with.
    begun = (run.checkpoints / "latest.json").exists()
    start = ["--start", run.args.policy] if run.args.policy and not begun else []
    # hiors_learner.launch starts the training process anew by itself when it dies.
    command = (*learner_program(), *listen, *keys, *words, *start, "--arms", *run.arms)
    return ProcessSpec(name="learner", command=command)
