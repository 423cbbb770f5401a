# SPDX-License-Identifier: Apache-2.0
"""gym-hil's task behind its pipe. Without gym-hil a stand-in with the same calls is served."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiors_bench.arms import ARMS, REFERENCE
from hiors_bench.command import main
from hiors_bench.experiment import perform
from hiors_bench.gym_cube import CubeView, GymCube, packages
from hiors_bench.gym_person import CubePerson, CubePersonSettings
from hiors_bench.gym_world import GYM_TASK, GymCollector, GymWorld, Notes, recorded, state
from hiors_bench.lab import open_lab
from hiors_bench.runs import START, BenchFolder, Job
from hiors_bench.settings import SMOKE
from hiors_bench.world import Seeds
from hiors_core.errors import HiorsError, InvalidValue

CONFIG = Path(__file__).parents[3] / "config"
TINY = replace(SMOKE, demonstrations=2, start_steps=3, evaluations=1, limits=(0.5, 1.0))
STAND_IN = """
import numpy as np

class Environment:
    def reset(self, seed):
        if seed == 666:
            raise SystemExit(3)
        self.tool = np.array([0.4, 0.0, 0.1])
        self.cube = np.array([*np.random.uniform([0.3, -0.15], [0.5, 0.15]), 0.02])
        self.closed, self.steps = 0.0, 0
        return self.seen(), {}

    def step(self, action):
        held = self.closed > 0.5 and np.linalg.norm(self.cube - self.tool) < 0.02
        self.tool = self.tool + action[:3]
        self.cube = self.cube + action[:3] * held
        self.closed = float(np.clip(self.closed + action[6], 0.0, 1.0))
        self.steps += 1
        done = self.cube[2] > 0.12
        return self.seen(), float(done), bool(done), self.steps >= 100, {}

    def seen(self):
        state = np.array([*np.zeros(14), 255.0 * self.closed, *self.tool])
        return {"agent_pos": state, "environment_state": self.cube.copy()}

    def close(self):
        pass

def make(name, **options):
    print("what a library prints")
    return Environment()
"""


@pytest.fixture
def gym(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of gym-hil's packages."""
    place = tmp_path / "gym"
    (place / "gym_hil").mkdir(parents=True)
    (place / "gym_hil" / "__init__.py").write_text("")
    (place / "gymnasium.py").write_text(STAND_IN)
    monkeypatch.setenv("HIORS_GYM", str(place))
    return place


def view(**more: object) -> CubeView:
    usual = {
        "tool": np.zeros(3), "target": np.zeros(3), "opening": 1.0, "cube": np.zeros(3),
        "success": False, "over": False, "thrown": False,
    }  # fmt: skip
    return CubeView(**{**usual, **more})


def test_without_gym_hil_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIORS_GYM", str(tmp_path))
    out = tmp_path / "out"
    with pytest.raises(HiorsError, match="make setup EXTRAS=gym"):
        main(["--tasks", GYM_TASK, "--out", str(out)], CONFIG, argparse.ArgumentParser())
    assert not out.exists()


@pytest.mark.usefixtures("gym")
def test_the_environment_answers_the_same_for_the_same_seed() -> None:
    with GymCube() as cube:
        first, other, again = cube.reset(1), cube.reset(2), cube.reset(1)
        assert np.array_equal(first.cube, again.cube)
        assert not np.array_equal(first.cube, other.cube)
        after = cube.step(first.tool + np.array([0.2, 0.0, 0.0]), 0.0)
        assert np.allclose(after.target, first.tool + np.array([0.05, 0.0, 0.0]))
        assert after.opening == 0.0
        with pytest.raises(InvalidValue, match="finite"):
            cube.step(np.array([np.nan, 0.0, 0.0]), 1.0)
        with pytest.raises(HiorsError, match="ended with code 3"):
            cube.reset(666)


@pytest.mark.usefixtures("gym")
def test_the_person_shows_the_task_and_what_is_shown_is_kept(tmp_path: Path) -> None:
    world = GymWorld(CONFIG, TINY)
    lab = open_lab(world, ARMS[REFERENCE], 0)
    seeds = Seeds(0)
    made = GymCollector(world, ARMS[REFERENCE], lab.agent, tmp_path / "shown", seeds)
    shown = [made.demonstration(seeds.demonstration).trajectory for _ in range(2)]
    kept = list(recorded(tmp_path / "shown"))
    for one, other in zip(shown, kept, strict=True):
        assert np.array_equal(one.states, other.states)
        assert np.array_equal(one.actions, other.actions)
        assert other.demonstration
        assert one.human.all()
        assert one.episode_return == 1.0
        assert one.terminal


@pytest.mark.usefixtures("gym")
def test_a_run_is_the_same_when_it_is_repeated(tmp_path: Path) -> None:
    folder = BenchFolder(tmp_path / "out")
    folder.create(TINY)
    perform(folder, CONFIG, Job(GYM_TASK, START, 0))
    perform(folder, CONFIG, Job(GYM_TASK, REFERENCE, 0))
    first = folder.load(Job(GYM_TASK, REFERENCE, 0))
    assert first["frames"] > 0
    assert first["success"]["n"] == 1
    perform(folder, CONFIG, Job(GYM_TASK, REFERENCE, 0))
    again = folder.load(Job(GYM_TASK, REFERENCE, 0))
    for key in ("success", "curve", "frames", "human_frames"):
        assert first[key] == again[key]


def test_a_person_who_watches_helps_when_nothing_moves_on() -> None:
    person = CubePerson(CubePersonSettings(attention=1.0), 0)
    person.start(1)
    seen = view(cube=np.array([0.1, 0.0, -0.1]))
    helped = [person.step(seen) is not None for _ in range(15)]
    assert not any(helped[:10])
    assert all(helped[12:])
    absent = CubePerson(CubePersonSettings(attention=0.0), 0)
    absent.start(1)
    assert not any(absent.step(seen) is not None for _ in range(100))


def test_a_closing_gripper_is_no_no_op_and_a_person_is_logged_more_often() -> None:
    notes, world = Notes(), GymWorld.__new__(GymWorld)
    for i in range(16):
        notes.note(view(), view(), float(i < 8), human=i >= 12)
    trajectory = notes.trajectory(view(), 1.0, world, ARMS[REFERENCE])
    assert trajectory.marks.tolist() == [0, 4, 8, 12, 13, 14, 15]
    assert (trajectory.motion > 0.004).tolist() == [False, False, True, False] + [False] * 3
    low = notes.trajectory(view(), 1.0, world, ARMS["fixed_low"])
    assert low.marks.tolist() == [0, 4, 8, 12]
    assert trajectory.states.shape == (17, len(state(view())))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_person_picks_the_real_cube_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIORS_GYM", raising=False)
    try:
        packages()
    except HiorsError as missing:
        pytest.skip(str(missing))
    person = CubePerson(CubePersonSettings(), 0)
    with GymCube() as cube:
        for seed in range(5):
            person.start(seed, demonstrate=True)
            seen = cube.reset(seed)
            while not seen.over:
                wish = person.step(seen)
                assert wish is not None
                seen = cube.step(*wish)
            assert seen.success
