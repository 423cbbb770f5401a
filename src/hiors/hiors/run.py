# SPDX-License-Identifier: Apache-2.0
"""One run of the graph: its arguments with the files, folders and the robot that they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiors.arguments import BringupArgs
from hiors.middleware import transport_env
from hiors.places import config_file
from hiors.policies import PolicyChoice, choose_policy
from hiors.spec import NodeSpec
from hiors_core.errors import InvalidValue
from hiors_core.robot import RobotModel, load_robot
from hiors_core.task import load_task

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
    policy: PolicyChoice

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms in use."""
        return tuple(arm.name for arm in self.robot.arms)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras in use: none on arms that are not, none without cameras."""
        others = tuple(f"{name}_" for name in ("left", "right") if name not in self.arms)
        names = self.robot.cameras if self.args.cameras else ()
        return tuple(n for n in names if not n.startswith(others))

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

    def of_arms(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out the parameters of arms that are not in use, such as ``right.host``."""
        return {
            name: value
            for name, value in parameters.items()
            if "." not in name or name.split(".")[0] in self.arms
        }

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


def resolve(args: BringupArgs) -> Run:
    """Find the files that the arguments name."""
    robot_file, task_file = config_file("robots", args.robot), config_file("tasks", args.task)
    learner_file = Path(args.learner_config).resolve() if args.learner_config else None
    if learner_file and not learner_file.is_file():
        raise InvalidValue(f"learner_config names {learner_file}, which is not a file.")
    policy = choose_policy(args.policy)
    robot = load_robot(robot_file, None if args.arms == "both" else [args.arms])
    _check_robot(task_file, robot.name)
    return Run(
        args=args,
        robot_file=robot_file,
        task_file=task_file,
        learner_file=learner_file or config_file("learner", policy.learner),
        folder=Path(args.run_dir).resolve(),
        robot=robot,
        policy=policy,
    )


def _check_robot(task_file: Path, robot: str) -> None:
    needed = load_task(task_file).robot
    if needed not in ("", robot):
        raise InvalidValue(
            f"task:={task_file.stem} is done by the robot {needed}, not {robot}:"
            f" say robot:={needed}, or choose another task."
        )


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
