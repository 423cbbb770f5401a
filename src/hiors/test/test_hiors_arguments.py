# SPDX-License-Identifier: Apache-2.0
"""The arguments of the graph: parsed, checked, refused with the nearest name."""

import pytest

from hiors.arguments import BringupArgs, describe, parse_words
from hiors_core.errors import InvalidValue, UnknownName


def test_words_become_typed_values() -> None:
    args = parse_words(["sim:=True", "seed:=7", "namespace:=lab/robot1", "policy:=/a:=b"])
    assert args.sim is True
    assert args.seed == 7
    assert args.namespace == "lab/robot1"
    assert args.policy == "/a:=b"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'namespace'"):
        parse_words(["namespce:=robot1"])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("seed:=x", "whole number"),
        ("seed:=-1", "at least 0"),
        ("sim:=yes", "true or false"),
        ("robot", "name:=value"),
        ("namespace:=1robot", "namespace"),
        ("namespace:=a//b", "namespace"),
        ("sim:=false", "teleop:=none"),
        ("run_dir:=", "run_dir:= is empty"),
    ],
)
def test_wrong_values_are_refused(word: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        parse_words([word])


def test_a_value_that_is_not_among_the_allowed_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'quest'"):
        parse_words(["teleop:=quset"])


def test_an_argument_given_twice_is_refused() -> None:
    with pytest.raises(InvalidValue, match="twice"):
        parse_words(["seed:=1", "seed:=2"])


def test_every_argument_says_what_it_is_and_its_default_is_allowed() -> None:
    for spec in describe():
        assert len(spec.doc) > 15
        assert parse_words([f"{spec.name}:={spec.default_text}"]) == BringupArgs()
