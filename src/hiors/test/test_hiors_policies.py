# SPDX-License-Identifier: Apache-2.0
"""`policy:=`: a file of that name, one's own, or a checkpoint folder."""

import json
from pathlib import Path

import pytest

from hiors.arguments import BringupArgs
from hiors.graph import build_graph
from hiors.places import config_file
from hiors.policies import load_policy_file
from hiors.spec import Graph, NodeSpec
from hiors_core.errors import HiorsError, InvalidValue, UnknownName

FILES = sorted(config_file("policies", "vision").parent.glob("*.yaml"))


def graph(tmp_path: Path, policy: str, **other: object) -> Graph:
    return build_graph(BringupArgs(run_dir=str(tmp_path / "run"), policy=policy, **other))


def node(found: Graph) -> NodeSpec:
    return next(n for n in found.nodes if n.name == "policy")


def learner(found: Graph) -> list[str]:
    (process,) = found.processes
    return list(process.command)


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def checkpoint(folder: Path, name: str = "flow", objects: tuple[str, ...] = ("box",)) -> Path:
    folder.mkdir(parents=True)
    manifest = {"architecture": {"name": name}, "spec": {"objects": objects}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_value_is_described_and_every_parameter_declared(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            assert "  # " in line, line
    parameters = pytest.importorskip("hiors_ros.parameters")
    module = pytest.importorskip("hiors_control.policy_parameters")
    declared = {info.name for info in parameters.describe(module.PolicyParameters)}
    assert set(load_policy_file(path).parameters) <= declared


def test_a_name_decides_what_is_made_and_how_it_learns(tmp_path: Path) -> None:
    poses, images = graph(tmp_path, "object_poses"), graph(tmp_path, "vision")
    assert after(learner(poses), "--policy") == "state"
    assert after(learner(images), "--policy") == "vision"
    assert "--start" not in learner(images)
    assert node(images).parameters["cameras_max_age"] == 0.5
    assert node(images).parameters["checkpoint"] == ""
    own = tmp_path / "learner.yaml"
    own.write_text("seed: 1")
    assert after(learner(graph(tmp_path, "vision", learner_config=str(own))), "--config") == str(
        own
    )


@pytest.mark.parametrize(
    ("name", "objects", "learns"),
    [("pi0", (), "pi0"), ("flow", ("box",), "default"), ("flow", (), "default")],
)
def test_a_checkpoint_brings_the_file_of_its_kind(
    tmp_path: Path, name: str, objects: tuple[str, ...], learns: str
) -> None:
    folder = checkpoint(tmp_path / "ckpt", name, objects)
    found = graph(tmp_path, str(folder))
    assert node(found).parameters["checkpoint"] == str(folder)
    assert after(learner(found), "--start") == str(folder)
    assert Path(after(learner(found), "--config")).stem == learns
    assert ("device" in node(found).parameters) == (name == "pi0")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "ckpt", "pi0", ())
    path = tmp_path / "mine.yaml"
    path.write_text(f"new: none\ncheckpoint: {folder}\nparameters: {{swap: episode}}\n")
    found = graph(tmp_path, str(path))
    assert node(found).parameters["swap"] == "episode"
    assert node(found).parameters["checkpoint"] == str(folder)


def test_a_pi0_is_not_made_from_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="hiors convert"):
        graph(tmp_path, "pi0")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "latest.json").write_text("{}")
    assert "--policy" not in learner(graph(tmp_path, "pi0"))


def test_the_policy_waits_for_the_learners_first_checkpoint(tmp_path: Path) -> None:
    latest = tmp_path / "run" / "checkpoints" / "latest.json"
    assert node(graph(tmp_path, "object_poses")).needs == latest
    assert node(graph(tmp_path, str(checkpoint(tmp_path / "ckpt")))).needs is None
    assert node(graph(tmp_path, "object_poses", learner="none")).needs is None


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'vision'"):
        graph(tmp_path, "visoin")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("new: stat", "Did you mean 'state'"),
        ("new: state\nlearnr: pi0", "Did you mean 'learner'"),
        ("checkpoint: ''", "lacks new"),
        ("new: state\nparameters: [1]", "mapping of parameters"),
        ("new: state\nlearner: 3", "name in config/learner"),
        ("new: none\ncheckpoint: nowhere", "nowhere is no checkpoint"),
        ("new: state\nlearner: defualt", "Did you mean 'default'"),
        ("new: [", "Cannot read"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(HiorsError, match=reason):
        graph(tmp_path, str(path))


@pytest.mark.parametrize("text", ["{}", "[1]", "x", '{"architecture": 1}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InvalidValue, match="no checkpoint's manifest"):
        graph(tmp_path, str(tmp_path))
