# SPDX-License-Identifier: Apache-2.0
"""The graph of hiors: which nodes run with which parameters, for given arguments. Imports no ROS.

`hiors up` and the launch files both start what is said here; nothing of it is said twice.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from hiors import places
from hiors.arguments import BringupArgs
from hiors.description import PUBLISHER, is_installed, state_publisher
from hiors.overrides import apply_overrides
from hiors.people_room import people_nodes
from hiors.robot_room import robot_nodes
from hiors.run import Run, resolve
from hiors.spec import Graph, NodeSpec, ProcessSpec
from hiors_core.errors import InvalidValue, UnknownName

ROOMS = ("robot", "arbiter", "policy", "episodes", "bridge", "people", "learner")
"""The parts of the graph."""


def build_graph(args: BringupArgs, rooms: Collection[str] = ROOMS) -> Graph:
    """Return what runs for the arguments, with the user's parameter file over it.

    Args:
        rooms: parts of the graph; all of them by default.
    """
    run = resolve(args)
    makers: dict[str, Callable[[Run], Iterable[NodeSpec]]] = {
        "robot": robot_nodes,
        "arbiter": _arbiter,
        "policy": _policy,
        "episodes": _episodes,
        "bridge": _bridge,
        "people": people_nodes,
    }
    for room in rooms:
        if room not in ROOMS:
            raise UnknownName("room of the graph", room, ROOMS)
    wanted = [room for room in rooms if room in _rooms_of(args)]
    nodes = tuple(node for room in wanted if room in makers for node in makers[room](run))
    processes = (_learner(run),) if "learner" in wanted else ()
    graph = Graph(nodes=nodes, processes=processes)
    if not args.respawn:
        graph = graph.without_respawn()
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
    newest = run.checkpoints / "latest.json"
    yield run.node(
        "hiors_control",
        "policy_node",
        "policy",
        parameters={
            **run.policy.parameters,
            **run.common,
            "checkpoint": run.policy.checkpoint,
            "checkpoints": run.checkpoints,
            "seed": run.args.seed,
        },
        lifecycle=True,
        # Until the learner has made the first policy a person drives.
        needs=None if run.policy.checkpoint or run.args.learner == "none" else newest,
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


def _learner(run: Run) -> ProcessSpec:
    files = {
        "--robot": run.robot_file,
        "--task": run.task_file,
        "--config": run.learner_file,
        "--run": run.folder,
        **({"--policy": run.policy.new} if run.policy.new != "none" else {}),
    }
    words = [str(word) for pair in files.items() for word in pair]
    listen = ["--listen", run.args.listen] if run.args.listen else []
    keys = ["--keys", run.args.keys] if run.args.listen and run.args.keys else []
    # What the run has published goes before what it began with.
    begun = (run.checkpoints / "latest.json").exists()
    if not (begun or run.policy.checkpoint) and run.policy.new == "none":
        raise InvalidValue(
            f"policy:={run.args.policy} needs a checkpoint to start from. `hiors convert SOURCE"
            " FOLDER --to hiors` makes one of a pi0; then say policy:=FOLDER."
        )
    start = ["--start", run.policy.checkpoint] if run.policy.checkpoint and not begun else []
    # hiors_learner.launch starts the training process anew by itself when it dies.
    command = (*places.learner_program(), *listen, *keys, *words, *start, "--arms", *run.arms)
    return ProcessSpec(name="learner", command=command)
