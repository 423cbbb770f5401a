# SPDX-License-Identifier: Apache-2.0
"""The launch files under the real launch package, where it is installed."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hiors.arguments import describe
from hiors_core.errors import HiorsError, UnknownName

launch = pytest.importorskip("launch")
pytest.importorskip("launch_ros")
launching = importlib.import_module("hiors.launching")
DeclareLaunchArgument = launch.actions.DeclareLaunchArgument
OpaqueFunction = launch.actions.OpaqueFunction

FOLDER = Path(__file__).resolve().parents[3] / "launch"
FILES = sorted(FOLDER.glob("*.launch.py"))
BRINGUP = {spec.name for spec in describe()}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared(description: Any) -> dict[str, Any]:
    found = [e for e in description.entities if isinstance(e, DeclareLaunchArgument)]
    return {argument.name: argument for argument in found}


def run(description: Any, **values: str) -> list[Any]:
    """Return what the description starts, for the arguments."""
    context = launch.LaunchContext(argv=[f"{name}:={value}" for name, value in values.items()])
    context.launch_configurations.update(values)
    for argument in declared(description).values():
        argument.execute(context)
    (function,) = (e for e in description.entities if isinstance(e, OpaqueFunction))
    return function.execute(context)


def names(actions: list[Any]) -> set[str]:
    return {a._Node__node_name for a in actions if hasattr(a, "_Node__node_name")}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_argument_is_described(path: Path) -> None:
    arguments = declared(load(path).generate_launch_description())
    assert arguments
    for argument in arguments.values():
        assert len(argument.description) > 10, argument.name


def test_parts_of_the_graph_take_only_what_says_something_to_them() -> None:
    taken = {p.name: set(declared(load(p).generate_launch_description())) for p in FILES}
    assert taken["bringup.launch.py"] == BRINGUP
    for name, absent in (
        ("teleop", {"policy", "learner"}),
        ("record_demos", {"policy", "learner", "demonstrate"}),
        ("learner", {"sim", "teleop", "console"}),
    ):
        found = taken[f"{name}.launch.py"]
        assert found < BRINGUP
        assert not absent & found


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("bringup", {"sim", "driver", "arbiter", "policy", "recorder", "label", "bridge"}),
        ("teleop", {"sim", "driver", "arbiter"}),
        ("record_demos", {"sim", "driver", "arbiter", "recorder", "label"}),
        ("learner", {"bridge"}),
    ],
)
def test_every_file_starts_its_part(tmp_path: Path, file: str, expected: set[str]) -> None:
    description = load(FOLDER / f"{file}.launch.py").generate_launch_description()
    choices = {"teleop": "none"} if file != "learner" else {}
    assert names(run(description, run_dir=str(tmp_path), **choices)) == expected


def test_the_policy_is_configured_once_there_is_a_checkpoint(tmp_path: Path) -> None:
    actions = run(launching.bringup_description("x.launch.py"), run_dir=str(tmp_path))
    handlers = [a.event_handler for a in actions if hasattr(a, "event_handler")]
    started = next(h for h in handlers if type(h).__name__ == "OnProcessStart")
    (configure,) = started._OnActionEventBase__actions_on_event
    context = launch.LaunchContext()
    (waiting,) = configure.execute(context)
    assert isinstance(waiting, launch.actions.TimerAction)
    (tmp_path / "checkpoints" / "latest.json").write_text("{}")
    (event,) = configure.execute(context)
    assert not isinstance(event, launch.actions.TimerAction)


def test_a_required_node_that_fails_ends_all_with_an_error() -> None:
    class Ended:
        returncode = 3

    with pytest.raises(HiorsError, match="arbiter ended with exit code 3"):
        launching.when_required_ends("arbiter")(Ended(), launch.LaunchContext())


def test_wrong_values_are_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'vision'"):
        run(launching.bringup_description("x.launch.py"), run_dir=str(tmp_path), policy="visoin")
