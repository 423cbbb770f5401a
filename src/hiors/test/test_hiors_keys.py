# SPDX-License-Identifier: Apache-2.0
"""`hiors keys` and the arguments of a learner on another machine."""

import stat
from pathlib import Path

import pytest

from hiors import keys, train
from hiors.arguments import BringupArgs
from hiors.graph import build_graph
from hiors_core.errors import InvalidValue, StateError, UnknownName


def test_keys_are_made_shown_and_never_made_twice(tmp_path: Path, capsys) -> None:
    words = ["--folder", str(tmp_path / "keys")]
    assert keys.main(["show", *words]) == 0
    assert "There are no keys" in capsys.readouterr().out
    assert keys.main(["new", "robot1", *words]) == 0
    made = capsys.readouterr().out
    assert "robot1.pub (copy it to the other side)" in made
    secret = (tmp_path / "keys" / "robot1.key").read_text().split('"secret": "')[1][:40]
    assert secret not in made
    assert stat.S_IMODE((tmp_path / "keys" / "robot1.key").stat().st_mode) == 0o600
    with pytest.raises(StateError, match="never overwritten"):
        keys.main(["new", "robot1", *words])
    assert keys.main(words) == 0
    assert "robot1  (private key here)" in capsys.readouterr().out


def test_new_keys_need_a_name() -> None:
    with pytest.raises(InvalidValue, match="Say whose keys"):
        keys.main(["new"])


def test_a_learner_elsewhere_has_a_bridge_and_no_process(tmp_path: Path) -> None:
    address = "tcp://127.0.0.1:5750"
    args = BringupArgs(learner=address, namespace="lab/robot1", run_dir=str(tmp_path))
    graph = build_graph(args)
    assert graph.processes == ()
    (bridge,) = (node for node in graph.nodes if node.name == "bridge")
    assert bridge.parameters["learner"] == address
    assert bridge.parameters["actor"] == "lab-robot1"


def test_a_learner_that_listens_is_told_so(tmp_path: Path) -> None:
    args = BringupArgs(listen="tcp://0.0.0.0:5750", keys="k", run_dir=str(tmp_path))
    (learner,) = build_graph(args).processes
    words = list(learner.command)
    assert words[words.index("--listen") + 1] == "tcp://0.0.0.0:5750"
    assert words[words.index("--keys") + 1] == "k"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"learner": "tcp://10.0.0.1:5750"}, "hiors keys new"),
        ({"learner": "tcp://10.0.0.1", "keys": "k"}, "write tcp://HOST:PORT"),
        ({"listen": "tcp://0.0.0.0:5750"}, "hiors keys new"),
        ({"listen": "tcp://127.0.0.1:1", "learner": "none"}, "needs learner:=local"),
    ],
)
def test_what_would_be_open_to_all_is_refused(values: dict[str, str], word: str) -> None:
    with pytest.raises(InvalidValue, match=word):
        BringupArgs(**values)


def test_another_word_for_the_learner_is_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'local'"):
        BringupArgs(learner="locl")


def test_train_listens_only_with_a_run_and_with_keys(tmp_path: Path) -> None:
    parser = train._parser()
    words = ["--run", str(tmp_path), "--listen", "tcp://127.0.0.1:0"]
    assert train.learner_words(parser.parse_args(words))[:2] == words[2:]
    with pytest.raises(InvalidValue, match="hiors keys new"):
        train.learner_words(parser.parse_args([*words[:3], "tcp://0.0.0.0:1"]))
