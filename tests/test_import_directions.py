# SPDX-License-Identifier: Apache-2.0
"""Who may import whom, read from the sources: the method knows no ROS, and so on."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parent.parent / "src"

WITHOUT_ROS = {
    "hiors_core": set(),
    "hiors_policy": {"hiors_core"},
    "hiors_link": {"hiors_core"},
    "hiors_learner": {"hiors_core", "hiors_link", "hiors_policy"},
    "hiors_sim": {"hiors_core", "hiors_policy"},
    "hiors_data": {"hiors_core", "hiors_policy"},
    "hiors_bench": {"hiors_core", "hiors_policy", "hiors_learner", "hiors_sim"},
}
"""What each package without ROS may import of hiors."""
NODES = {"hiors_core", "hiors_interfaces", "hiors_ros"}
"""What every package of nodes may import of hiors; also the ones below allow more."""
MORE = {
    "hiors_ros": set(),
    "hiors_bridge": {"hiors_link"},
    "hiors_sim_ros": {"hiors_sim"},
    "hiors_control": {"hiors_policy"},
    "hiors_reward": {"hiors_policy"},
    "hiors_tora": set(),
    "hiors_xtrainer": set(),
    "hiors_quest": {"hiors_seat"},
    "hiors_rqt": {"hiors_seat"},
    "hiors_console": {"hiors_seat"},
}
ROS = {
    "rclpy", "rosidl_runtime_py", "rosidl_parser", "ament_index_python", "launch", "launch_ros",
    "rosbag2_py", "cv_bridge", "tf2_ros", "action_msgs", "builtin_interfaces", "diagnostic_msgs",
    "geometry_msgs", "lifecycle_msgs", "rcl_interfaces", "rosgraph_msgs", "sensor_msgs",
    "std_msgs", "std_srvs", "trajectory_msgs", "unique_identifier_msgs", "visualization_msgs",
    "hiors_interfaces",
}  # fmt: skip
TORCH_ALLOWED = {"hiors_policy", "hiors_learner", "hiors_bench"}
TORCH_MODULES = {"hiors_control/policy_node.py", "hiors_reward/classifier.py"}
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def packages() -> list[str]:
    found = sorted(p.parent.name for p in SOURCES.glob("*/package.xml"))
    return [name for name in found if (SOURCES / name / name / "__init__.py").is_file()]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the full names of imported modules with their lines, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def modules(package: str) -> list[Path]:
    return sorted((SOURCES / package / package).rglob("*.py"))


def offences(package: str, allowed_here) -> list[str]:
    return [
        f"{path.relative_to(SOURCES)}:{line} imports {name}"
        for path in modules(package)
        for name, line in imports(path)
        if not allowed_here(name.split(".")[0], path)
    ]


def allowed_of_hiors(package: str) -> set[str]:
    if package in WITHOUT_ROS:
        return WITHOUT_ROS[package] | {package}
    if package == "hiors":
        return set(packages()) | {"hiors_interfaces"}
    return NODES | MORE.get(package, set()) | {package}


@pytest.mark.parametrize("package", packages())
def test_imports_of_hiors_point_one_way(package: str) -> None:
    allowed = allowed_of_hiors(package)
    found = offences(
        package, lambda top, _: top in allowed or not (top == "hiors" or top.startswith("hiors_"))
    )
    assert not found, "\n".join([*found, f"allowed: {sorted(allowed)}"])


@pytest.mark.parametrize("package", sorted(WITHOUT_ROS))
def test_the_method_knows_no_ros(package: str) -> None:
    found = offences(package, lambda top, _: top not in ROS)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", packages())
def test_deepspeed_stays_in_the_learner(package: str) -> None:
    found = offences(package, lambda top, _: top != "deepspeed" or package == "hiors_learner")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", packages())
def test_torch_stays_where_networks_run(package: str) -> None:
    def allowed(top: str, path: Path) -> bool:
        inside = path.relative_to(SOURCES / package).as_posix()
        return (
            top not in {"torch", "transformers"}
            or package in TORCH_ALLOWED
            or inside in TORCH_MODULES
        )

    found = offences(package, allowed)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", packages())
def test_nothing_that_runs_code_on_loading(package: str) -> None:
    found = offences(package, lambda top, _: top not in FORBIDDEN)
    assert not found, "\n".join(found)


def test_the_reader_of_imports_sees_nested_and_from_imports(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import a.b\ndef f():\n    from c.d import e\nfrom . import g\n")
    assert [name for name, _ in imports(path)] == ["a.b", "c.d"]
