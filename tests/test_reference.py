# SPDX-License-Identifier: Apache-2.0
"""The documentation is what the code is: generated pages, links, keys of files, commands."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy")

from hiors import arguments, cli
from hiors.demo import summary
from hiors_bench import record

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
READMES = sorted(ROOT.glob("src/*/*.md"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.timeout(300)
def test_the_reference_is_what_the_code_says() -> None:
    command = [sys.executable, str(ROOT / "tools" / "reference"), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def keys_written(path: str, *functions: str) -> set[str]:
    """Return the texts that are keys of dictionaries written out in the functions."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    bodies = [n for n in ast.walk(tree) if getattr(n, "name", "") in functions]
    assert len(bodies) == len(functions)
    keys = [k for b in bodies for d in ast.walk(b) if isinstance(d, ast.Dict) for k in d.keys]
    return {key.value for key in keys if isinstance(key, ast.Constant)}


def test_every_key_of_summary_json_is_explained() -> None:
    written = keys_written("src/hiors/hiors/demo/main.py", "summary", "_note_control")
    assert written == set(summary.KEYS)


def test_every_key_of_results_json_is_explained() -> None:
    bench = "src/hiors_bench/hiors_bench"
    written = keys_written(f"{bench}/experiment.py", "_run", "summary")
    written |= keys_written(f"{bench}/measurement.py", "final") - {"k", "n", "seconds"}
    written |= keys_written(f"{bench}/two_tasks.py", "final")
    assert written == set(record.KEYS)


@pytest.mark.parametrize("path", [*PAGES, *READMES], ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_arguments_in_the_pages_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    commands = set(re.findall(r"(?:bin/|`)hiors ([a-z]+)", text))
    assert commands <= {*cli.COMMANDS, "label"}
    assert set(re.findall(r"(?:^ *|`)make (?:-C \S+ )?([a-z]+)", text, re.MULTILINE)) <= TARGETS
    known = {spec.name for spec in arguments.describe()}
    known |= {"name", "bag", "rate", "loop", "start_paused", "with_commands"}
    used = set(re.findall(r"(?<![-_\w:])([a-z_]+):=", text))
    assert used - known <= parameters_in(text)


def parameters_in(text: str) -> set[str]:
    """Return the names given to a node itself, after -p or -r."""
    return set(re.findall(r"-[pr] _*([a-z_.]+):=", text))


def test_every_page_is_in_the_menu() -> None:
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = set(re.findall(r"[\w/-]+\.md", str(menu)))
    assert {str(p.relative_to(ROOT / "docs")) for p in PAGES} == listed


def test_arguments_of_replay_are_explained() -> None:
    source = (ROOT / "launch" / "replay.launch.py").read_text(encoding="utf-8")
    names = re.findall(r'DeclareLaunchArgument\("(\w+)"', source)
    names += re.findall(r'^    "(\w+)": "', source, re.MULTILINE)
    text = (ROOT / "docs" / "reference" / "arguments.md").read_text(encoding="utf-8")
    assert len(names) >= 5
    assert [name for name in names if f"`{name}:=" not in text] == []
