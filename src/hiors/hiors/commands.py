# SPDX-License-Identifier: Apache-2.0
"""Turns a graph into the processes that `hiors up` supervises; writes parameter files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hiors.spec import Graph, NodeSpec, ProcessSpec
from hiors.supervisor import Command
from hiors_core.errors import HiorsError


def build_commands(graph: Graph, run_dir: Path, log_level: str) -> list[Command]:
    """Return the commands of the graph; parameter files go to ``run_dir/parameters``."""
    folder = run_dir / "parameters"
    folder.mkdir(parents=True, exist_ok=True)
    ros_logs = {"ROS_LOG_DIR": str(run_dir / "logs" / "ros")}
    nodes = [_node_command(node, folder, log_level, ros_logs) for node in graph.nodes]
    return nodes + [_process_command(process) for process in graph.processes]


def _node_command(node: NodeSpec, folder: Path, log_level: str, env: Mapping[str, str]) -> Command:
    words = [str(find_executable(node.package, node.executable)), "--ros-args"]
    words += ["-r", f"__node:={node.name}"]
    if node.namespace.strip("/"):
        words += ["-r", f"__ns:=/{node.namespace.strip('/')}"]
    for old, new in node.remappings.items():
        words += ["-r", f"{old}:={new}"]
    words += ["--log-level", log_level, "--params-file", str(write_parameters(node, folder))]
    return Command(
        name=node.name,
        argv=tuple(words),
        env={**env, **node.env},
        required=node.required,
        respawn=node.respawn,
    )


def _process_command(process: ProcessSpec) -> Command:
    return Command(
        name=process.name,
        argv=process.command,
        env=process.env,
        required=process.required,
        respawn=process.respawn,
    )


def write_parameters(node: NodeSpec, folder: Path) -> Path:
    """Write the node's parameter file, under its full name, and return the path."""
    path = folder / f"{node.name}.yaml"
    values = {name: _plain(value) for name, value in node.parameters.items()}
    text = yaml.safe_dump({node.full_name: {"ros__parameters": values}}, sort_keys=True)
    path.write_text(text, encoding="utf-8")
    return path


def find_executable(package: str, name: str) -> Path:
    """Return the path of a package's executable in the sourced workspaces."""
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for prefix in prefixes:
        path = Path(prefix) / "lib" / package / name
        if os.access(path, os.X_OK):
            return path
    apt = f"ros-jazzy-{package.replace('_', '-')}"
    others = "" if package.startswith("hiors") else f", or install it (apt-get install {apt})"
    raise HiorsError(
        f"Executable '{name}' of package '{package}' is not in the sourced workspaces "
        f"({', '.join(prefixes) or 'AMENT_PREFIX_PATH is empty'}). Run `make setup`"
        f"{others}, and start hiors by bin/hiors or in a shell with `. tools/env.sh`."
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
