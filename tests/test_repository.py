# SPDX-License-Identifier: Apache-2.0
"""What holds for the whole repository: headers, sizes, locks, manifests, messages."""

import re
import subprocess
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SPDX = "SPDX-License-Identifier: Apache-2.0"
LONGEST = 500
LOCKS = ("base", "dev", "ros", "export", "docs")
HEADED = {".py", ".sh", ".yaml", ".yml", ".toml", ".js", ".ts", ".css", ".cpp", ".hpp"}


def tracked() -> list[Path]:
    """Files of the repository: tracked ones, and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git clone")
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def package_folders() -> list[Path]:
    return sorted(path.parent for path in (ROOT / "src").glob("*/package.xml"))


def test_every_source_file_names_its_licence_first() -> None:
    missing = []
    for path in tracked():
        is_data = path.is_relative_to(ROOT / "config")
        if (
            path.suffix in HEADED
            and not is_data
            and path.stat().st_size
            and path.name != "uv.toml"
        ):
            head = path.read_text(encoding="utf-8").splitlines()[:2]
            lines = head[1:] if head[0].startswith("#!") else head[:1]
            if not lines or SPDX not in lines[0]:
                missing.append(str(path.relative_to(ROOT)))
    assert not missing


def test_no_file_in_the_root_has_the_name_of_a_package() -> None:
    """`ros2 launch NAME` takes a file of that name for the launch file."""
    files = {path.name for path in tracked() if path.parent == ROOT}
    assert not files & {folder.name for folder in package_folders()}


def test_no_python_file_is_long() -> None:
    sizes = {
        str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines())
        for p in tracked()
        if p.suffix == ".py"
    }
    assert not {name: size for name, size in sizes.items() if size > LONGEST}


def test_no_module_has_a_name_that_says_nothing() -> None:
    nothing = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
    assert not [str(p) for p in tracked() if p.name in nothing]


def test_test_modules_have_unique_names() -> None:
    names = [p.name for p in tracked() if p.name.startswith("test_") and p.suffix == ".py"]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("folder", package_folders(), ids=lambda p: p.name)
def test_package_files_agree(folder: Path) -> None:
    package = ET.parse(folder / "package.xml").getroot()
    text = {tag: package.findtext(tag) for tag in ("name", "version", "description", "license")}
    assert text["name"] == folder.name
    assert text["license"] == "Apache-2.0"
    assert package.find("maintainer") is not None
    script = folder / "setup.py"
    if script.is_file():
        source = script.read_text(encoding="utf-8")
        for key, value in text.items():
            assert f'{key}="{value}"' in source, f"setup.py and package.xml differ in {key}"
        config = (folder / "setup.cfg").read_text(encoding="utf-8")
        assert f"script_dir=$base/lib/{folder.name}" in config
        assert f"install_scripts=$base/lib/{folder.name}" in config
        assert (folder / "resource" / folder.name).is_file()


@pytest.mark.parametrize("folder", package_folders(), ids=lambda p: p.name)
def test_nodes_are_reachable_scripts(folder: Path) -> None:
    script = folder / "setup.py"
    if not script.is_file():
        pytest.skip("no Python package")
    found = re.findall(r'"(\w+) = ([\w.]+):(\w+)"', script.read_text(encoding="utf-8"))
    for name, module, function in found:
        path = folder / (module.replace(".", "/") + ".py")
        assert path.is_file(), f"{name}: there is no {path}"
        assert f"def {function}(" in path.read_text(encoding="utf-8"), f"{name}: no {function}()"


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_exact_hashed_and_name_no_registry(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    blocks = re.split(r"\n(?=[A-Za-z])", text)
    for block in blocks:
        head = block.splitlines()[0]
        assert re.match(r"[A-Za-z0-9._-]+==[^ ]+", head), head
        assert "--hash=sha256:" in block, head


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


def test_no_two_locks_disagree() -> None:
    for one, other in combinations([locked(name) for name in LOCKS], 2):
        assert {n: (one[n], other[n]) for n in one.keys() & other if one[n] != other[n]} == {}


@pytest.mark.parametrize(
    ("package", "below", "because"),
    [
        ("opencv-python-headless", [5], "opencv 5 breaks the real cv_bridge"),
        ("pytest", [8, 4], "a newer pytest fails in every sourced ROS shell"),
        ("setuptools", [80], "colcon needs setuptools below 80"),
        ("pyside6-essentials", [6, 12], "PySide6 6.12.0 aborts Python 3.11: see panel.in"),
    ],
)
def test_versions_stay_below_what_breaks(package: str, below: list[int], because: str) -> None:
    version = (locked("base") | locked("dev") | locked("panel"))[package]
    assert [int(n) for n in re.findall(r"\d+", version)] < below, because


def test_the_source_manifest_is_a_vcstool_file() -> None:
    data = yaml.safe_load((ROOT / "colcon.repo").read_text(encoding="utf-8"))
    assert set(data) == {"repositories"}
    for entry in (data["repositories"] or {}).values():
        assert entry["type"] == "git"
        assert re.fullmatch(r"[0-9a-f]{40}", entry["version"])


def test_the_readme_names_only_targets_and_folders_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (?:-C \S+ )?([a-z]+)", text)) <= targets
    for link in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (ROOT / link).exists(), f"README.md links to {link}"


def test_make_help_describes_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]
    for target in targets.split():
        assert re.search(rf"make {target} +\S+", done.stdout), f"{target} is not described"


def interface_files() -> list[Path]:
    folder = ROOT / "src" / "hiors_interfaces"
    return sorted(p for p in folder.rglob("*") if p.suffix in {".msg", ".srv", ".action"})


@pytest.mark.parametrize("path", interface_files(), ids=lambda p: p.name)
def test_interfaces_are_documented(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    floats = [line for line in lines if re.match(r"float(32|64)\S* \w+", line)]
    for line in floats:
        assert "#" in line, f"{path.name}: '{line}' says neither unit nor meaning"
    if path.suffix == ".msg":
        assert any(line.startswith("#") for line in lines[:3]), f"{path.name} says not what it is"


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda p: p.name)
def test_config_files_are_yaml(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8")) is not None


def test_every_container_is_a_stage_and_leaves_no_package_lists() -> None:
    docker = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", docker, re.MULTILINE))
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert {s["build"]["target"] for s in services.values()} <= stages
    assert {s["profiles"][0] for s in services.values()} == {"sim", "robot", "learner", "viz"}
    for step in re.findall(r"^RUN (?:.*\\\n)*.*$", docker, re.MULTILINE):
        if "apt-get install" in step:
            assert "--no-install-recommends" in step
        if "apt-get" in step or "setup" in step.replace("setup.bash", ""):
            assert step.endswith("rm -rf /var/lib/apt/lists/*"), step


@pytest.mark.parametrize("folder", package_folders(), ids=lambda p: p.name)
def test_every_package_says_what_it_is_and_how_to_test_it(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {folder.name}\n\n")
    assert re.search(r"^##+ (Test|Build and test)", text, re.MULTILINE), "how is it tested?"
