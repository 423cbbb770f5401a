# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hiors_bench.command import publish, write_up
from hiors_bench.runs import RESULTS, START, BenchFolder, Job
from hiors_bench.settings import SMOKE
from hiors_core.errors import IntegrityError, InvalidValue

JOB = Job("task", "hi_ors", 3)


def folder(root: Path) -> BenchFolder:
    made = BenchFolder(root / "out")
    made.create(SMOKE)
    return made


def test_a_finished_run_is_known_after_a_restart(tmp_path: Path) -> None:
    folder(tmp_path).save(JOB, {"success": {"k": 1, "n": 2}})
    again = folder(tmp_path)
    assert again.done(JOB)
    assert again.load(JOB) == {"success": {"k": 1, "n": 2}}
    assert again.settings() == SMOKE
    assert again.finished() == [JOB]


def test_a_start_is_finished_when_its_record_is_there(tmp_path: Path) -> None:
    made, start = folder(tmp_path), Job("task", START, 3)
    made.start("task", 3).mkdir()
    assert not made.done(start)
    made.save(start, {"k": 0, "n": 1})
    assert made.done(start)
    assert made.finished() == []


def test_another_design_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    made = folder(tmp_path)
    with pytest.raises(InvalidValue, match=r"evaluations 2 there, 50 now.*another folder"):
        made.create(replace(SMOKE, evaluations=50))


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InvalidValue, match="holds something else than a benchmark"):
        BenchFolder(tmp_path).create(SMOKE)
    with pytest.raises(InvalidValue, match="something else"):
        BenchFolder(tmp_path / "thesis.tex").create(SMOKE)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_results_hold_the_finished_runs_of_this_call(tmp_path: Path) -> None:
    made = folder(tmp_path)
    made.save(JOB, {"arm": "hi_ors"})
    made.save(Job("task", "qc", 3), {"arm": "qc"})
    made.write_results([JOB, Job("task", "hil_serl", 3)])
    assert json.loads((made.root / RESULTS).read_text()) == {"runs": [{"arm": "hi_ors"}]}


def test_a_damaged_run_says_how_to_go_on(tmp_path: Path) -> None:
    made = folder(tmp_path)
    made.save(JOB, {"success": {"k": 1, "n": 2}})
    path = made.root / "runs" / f"{JOB.name}.json"
    path.write_text(path.read_text().replace('"k": 1', '"k": 2'))
    with pytest.raises(IntegrityError, match=r"hi_ors--0003.json.*Delete it"):
        made.load(JOB)


def test_a_workspace_begins_empty(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made.workspace(JOB) / "rest").touch()
    assert list(made.workspace(JOB).iterdir()) == []


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    made = folder(tmp_path)
    write_up(made, [JOB], "")
    text = (made.root / "report.md").read_text()
    assert "**Partial**: 1 of 1 runs are missing" in text
    assert f"{JOB.task} {JOB.arm} {JOB.seed}" in text
    write_up(made, [], "")
    assert "Partial" not in (made.root / "report.md").read_text()


def test_the_report_is_published_with_its_pictures_and_results(tmp_path: Path) -> None:
    made = folder(tmp_path)
    write_up(made, [], "--smoke")
    (made.root / "a.png").write_bytes(b"picture")
    place = tmp_path / "docs" / "results"
    publish(made, place)
    assert sorted(p.name for p in place.iterdir()) == ["README.md", "a.png", "results.json"]
    assert "hiors bench learning --smoke" in (place / "README.md").read_text()
    with pytest.raises(InvalidValue, match="is no folder"):
        publish(made, place / "a.png")
