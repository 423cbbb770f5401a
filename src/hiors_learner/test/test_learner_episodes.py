# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes on a time grid, and agents as policies of the robot."""

import numpy as np
import pytest
from learner_scene import record, robot

from hiors_core.episode import load_episode
from hiors_core.errors import InvalidValue
from hiors_core.label import Label, judge
from hiors_core.observation import Observation
from hiors_core.store import EpisodeStore
from hiors_learner.agent_policy import AgentPolicy, agent_spec
from hiors_learner.agents import make_agent
from hiors_learner.baselines.sac import SacSettings
from hiors_learner.episodes import TrajectoryReader
from hiors_learner.trajectory import chunks

OBJECTS = ("box", "hole")


@pytest.fixture
def folder(tmp_path):
    return record(EpisodeStore(tmp_path), "20260101-000000-abcd", seconds=1.0)


@pytest.mark.parametrize("kind", ["joint", "ee"])
def test_an_episode_becomes_steps_that_lead_where_it_ended(folder, kind):
    episode = load_episode(folder)
    trajectory = TrajectoryReader(robot(), kind, OBJECTS).read(episode, judge(1))
    assert len(trajectory) == 10
    assert trajectory.states.shape == (11, agent_spec(robot(), kind, OBJECTS).features)
    assert trajectory.rewards.tolist() == [0.0] * 9 + [1.0]
    assert trajectory.human.all()
    assert len(trajectory.start) == 4
    assert trajectory.marks[0] == 0
    assert np.all(np.diff(trajectory.marks) >= 1)
    if kind == "joint":
        travelled = episode.executed[-1, :6] - episode.executed[0, :6]
        np.testing.assert_allclose(trajectory.actions[:, :6].sum(0), travelled, atol=1e-5)
        assert trajectory.actions[-1, 6] == 0.0


def test_the_first_step_of_a_chunk_starts_at_the_measured_position(folder):
    episode = load_episode(folder)
    trajectory = TrajectoryReader(robot(), "joint", OBJECTS).read(episode, judge(1))
    cut, mask = chunks(trajectory, np.array([2, 9]), 3)
    assert mask.tolist() == [[True] * 3, [True, False, False]]
    stamp = int(episode.stamps[0]) + 200_000_000
    reached = episode.snapshot(stamp).position[:6] + cut[0, :, :6].sum(0)
    sent = episode.actions.interpolate(np.array([stamp + 300_000_000]))[0]
    np.testing.assert_allclose(reached, sent[:6], atol=1e-5)
    assert cut[0, :, 6].tolist() == trajectory.actions[2:5, 6].tolist()


def test_a_failure_goes_on_beyond_its_end(folder):
    reader = TrajectoryReader(robot(), "ee", OBJECTS)
    assert reader.read(folder, judge(1)).terminal
    assert not reader.read(folder, judge(2)).terminal


def test_what_has_no_return_or_no_length_is_refused(folder):
    reader = TrajectoryReader(robot(), "ee", OBJECTS)
    with pytest.raises(InvalidValue, match="has no return: its label is NONE"):
        reader.read(folder, Label())
    with pytest.raises(InvalidValue, match="dt must be above 0 s"):
        TrajectoryReader(robot(), "ee", OBJECTS, dt=0.0)


def test_an_agent_drives_the_robot_from_where_it_is():
    agent = make_agent(
        "hil_serl", agent_spec(robot(), "joint", OBJECTS), SacSettings(hidden=(16,))
    )
    policy = AgentPolicy(agent, robot(), "joint", OBJECTS)
    pose = np.array([0.0, -0.4, 0.05, 0.0, 0.0, 0.0, 1.0])
    seen = Observation(
        stamp=0, position=robot().home, command=robot().home + 0.1,
        objects={"box": pose, "hole": pose},
    )  # fmt: skip
    chunk = policy.predict(seen, seed=1)
    assert policy.spec.horizon == 1
    assert chunk.shape == (1, 7)
    assert chunk[0, 6] in (0.0, 1.0)
    step = agent.act(policy._encoder.encode(seen)[None], [1])[0, 0]
    np.testing.assert_allclose(chunk[0, :6], robot().home[:6] + step[:6], atol=1e-6)
    both = policy.predict_batch([seen, seen], seeds=[1, 2])
    np.testing.assert_allclose(both[0], chunk, atol=1e-5)
    assert policy.predict_batch([]).shape == (0, 1, 7)
