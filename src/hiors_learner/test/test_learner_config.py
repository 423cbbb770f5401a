# SPDX-License-Identifier: Apache-2.0
"""The learner's file: strict keys, types and ranges; the shipped file is the defaults."""

from pathlib import Path

import pytest
from learner_scene import ROOT

from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_learner.arguments import Arguments
from hiors_learner.config import load_settings, parse
from hiors_learner.settings import LearnerSettings

DEFAULT = ROOT / "config" / "learner" / "default.yaml"


def test_the_shipped_file_says_the_defaults():
    assert load_settings(DEFAULT) == LearnerSettings()


def test_an_empty_file_is_the_defaults(tmp_path: Path):
    path = tmp_path / "learner.yaml"
    path.write_text("")
    assert load_settings(path) == LearnerSettings()


def test_values_are_taken_over():
    settings = parse(LearnerSettings, {"pacing": {"utd": 2}, "policy": {"features": ["tool"]}}, "")
    assert settings.pacing.utd == 2.0
    assert settings.policy.features == ("tool",)
    assert settings.data == LearnerSettings().data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"optimiser": {}}, r"key 'optimiser'.*Did you mean 'optimizer'"),
        ({"pacing": {"udt": 1.0}}, r"key 'pacing\.udt'.*Did you mean 'pacing\.utd'"),
        ({"optimizer": {"schedule": "cosin"}}, r"Did you mean 'cosine'"),
        ({"loss": {"flow_times": "gauss"}}, r"flow_times 'gauss'.*beta, uniform"),
        ({"policy": {"kind": "e"}}, r"policy\.kind 'e'.*ee, joint"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(data, message: str):
    with pytest.raises(UnknownName, match=message):
        parse(LearnerSettings, data, "")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"data": {"batch_size": "128"}}, r"data\.batch_size must be of type int, got '128'"),
        ({"data": {"batch_size": True}}, r"data\.batch_size must be of type int"),
        ({"data": {"batch_size": 0}}, r"data\.batch_size must be within 1"),
        ({"data": {"online_ratio": 1.5}}, r"data\.online_ratio must be within 0\.0 \.\. 1\.0"),
        ({"optimizer": {"learning_rate": float("nan")}}, "learning_rate must be within"),
        ({"policy": {"cameras": "top"}}, r"policy\.cameras must be a list of strings"),
        ({"pacing": 3}, r"pacing\. must be a mapping"),
        (["pacing"], "must be a mapping"),
    ],
)
def test_a_wrong_value_is_refused(data, message: str):
    with pytest.raises(InvalidValue, match=message):
        parse(LearnerSettings, data, "")


def test_the_file_is_named(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("sead: 1\n")
    with pytest.raises(InvalidValue, match=r"mine\.yaml.*Did you mean 'seed'"):
        load_settings(path)
    with pytest.raises(HiorsError, match="Cannot read"):
        load_settings(tmp_path / "none.yaml")


FILES = {"robot": Path("r"), "task": Path("t"), "config": Path("c")}


def test_arguments_must_fit_together(tmp_path: Path):
    with pytest.raises(InvalidValue, match="missing: --demos, --out"):
        Arguments(**FILES, steps=3).check()
    with pytest.raises(InvalidValue, match="do not go with --run"):
        Arguments(**FILES, run=tmp_path, steps=3).check()
    with pytest.raises(InvalidValue, match="exists"):
        Arguments(**FILES, steps=3, demos=tmp_path, out=tmp_path).check()
    with pytest.raises(InvalidValue, match="at least 1"):
        Arguments(**FILES, steps=0, demos=tmp_path, out=tmp_path / "new").check()
    Arguments(**FILES, run=tmp_path).check()
