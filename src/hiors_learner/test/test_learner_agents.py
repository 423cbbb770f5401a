# SPDX-License-Identifier: Apache-2.0
"""What every agent must do alike: the interface that a benchmark drives."""

import numpy as np
import pytest
import torch
from reach import SPEC, demonstrate, rollout

from hiors_core.acceptance import AcceptanceRule, AcceptanceRules
from hiors_core.errors import InvalidValue, UnknownName
from hiors_learner.agent import AgentSpec
from hiors_learner.agents import AGENTS, make_agent
from hiors_learner.baselines.qchunk import QChunkSettings
from hiors_learner.baselines.replay import Replay, join_steps
from hiors_learner.baselines.sac import SacSettings
from hiors_learner.distill import DistillSettings
from hiors_learner.settings import DataSettings, PacingSettings
from hiors_learner.trajectory import make_trajectory, windows
from hiors_policy.network import NetworkSettings

TINY = NetworkSettings(width=16, blocks=1, euler_steps=2)
QUICK = {
    "hi_ors": DistillSettings(
        horizon=4, execute=2, network=TINY,
        data=DataSettings(batch_size=16, min_transitions=10),
        rules=AcceptanceRules(default=AcceptanceRule(min_length=0.2)),
    ),
    "hil_serl": SacSettings(hidden=(16,), batch_size=16, start=20),
    "qc": QChunkSettings(
        horizon=3, network=TINY, hidden=(16,), batch_size=16, samples=4, target_samples=2, start=20
    ),
}  # fmt: skip
QUICK["qc_fql"] = QUICK["qc"]


def quick(name: str, seed: int = 0):
    return make_agent(name, SPEC, QUICK[name], seed)


def taught(name: str, seed: int = 0):
    """Return an agent after demonstrations, online episodes with help, and some steps."""
    agent = quick(name, seed)
    for i in range(3):
        agent.add(demonstrate(i))
    agent.update(3)
    for i in range(3):
        agent.add(rollout(agent, 10 + i, help_after=5))
    agent.update(4)
    return agent


@pytest.mark.parametrize("name", AGENTS)
def test_chunks_have_the_shapes_and_units_of_the_spec(name):
    agent = taught(name)
    chunks = agent.act(np.zeros((3, 5), np.float32), [1, 2, 3])
    assert chunks.shape == (3, agent.horizon, 3)
    assert chunks.dtype == np.float32
    assert 1 <= agent.execute <= agent.horizon
    assert np.isfinite(chunks).all()
    assert agent.act(np.zeros((0, 5), np.float32), []).shape == (0, agent.horizon, 3)
    with pytest.raises(InvalidValue, match="1 seeds for 2"):
        agent.act(np.zeros((2, 5), np.float32), [1])


@pytest.mark.parametrize("name", AGENTS)
def test_the_same_seed_gives_the_same_run_and_another_one_does_not(name):
    one, again, other = taught(name), taught(name), taught(name, seed=1)
    state = np.ones((1, 5), np.float32)
    assert np.array_equal(one.act(state, [7]), again.act(state, [7]))
    assert not np.array_equal(one.act(state, [7]), other.act(state, [7]))
    assert not np.array_equal(one.act(state, [7]), one.act(state, [8]))
    assert not np.array_equal(one.act(state), one.act(state))


@pytest.mark.parametrize("name", AGENTS)
def test_weights_travel_as_tensors(name):
    one, other = taught(name), quick(name, seed=5)
    other.load_state_dict(one.state_dict())
    state = np.ones((1, 5), np.float32)
    np.testing.assert_allclose(one.act(state, [7]), other.act(state, [7]), atol=1e-6)
    assert all(isinstance(t, torch.Tensor) for t in one.state_dict().values())
    wrong = make_agent(name, AgentSpec(features=6, actions=3, grippers=(2,)), QUICK[name])
    with pytest.raises(InvalidValue, match="shape"):
        wrong.load_state_dict(one.state_dict())


@pytest.mark.parametrize("name", AGENTS)
def test_without_data_an_agent_waits_and_says_for_what(name):
    agent = quick(name)
    progress = agent.update(5)
    assert (progress.done, progress.steps, agent.budget) == (0, 0, 0)
    assert progress.message
    assert agent.act(np.zeros((1, 5), np.float32)).shape == (1, agent.horizon, 3)


@pytest.mark.parametrize("name", AGENTS)
def test_online_steps_pay_for_gradient_steps(name):
    agent = quick(name)
    for i in range(4):
        agent.add(demonstrate(i))
    agent.update(3)
    assert agent.budget == 0
    rows = sum(agent.add(demonstrate_online(20 + i)).rows for i in range(4))
    assert agent.budget == rows
    assert agent.update(agent.budget).done == rows
    assert agent.budget == 0
    assert agent.update(0).done == 0


def demonstrate_online(seed: int):
    shown = demonstrate(seed)
    return make_trajectory(
        shown.states, shown.actions, shown.human, shown.rewards, dt=0.1, task="reach"
    )


def test_a_threshold_that_nobody_reaches_leaves_the_learner_waiting():
    rules = AcceptanceRules(tasks={"reach": AcceptanceRule(threshold=99.0, min_length=0.0)})
    agent = make_agent("hi_ors", SPEC, DistillSettings(network=TINY, rules=rules))
    for seed in range(5):
        intake = agent.add(demonstrate_online(seed))
        assert not intake.accepted
        assert intake.reasons == ("return 1 is below m 99",)
    progress = agent.update(100)
    assert progress.done == 0
    assert "0 transitions of accepted episodes" in progress.message
    assert agent.budget == 0


def test_each_task_has_its_own_threshold():
    rules = AcceptanceRules(
        default=AcceptanceRule(threshold=0.5, min_length=0.0),
        tasks={"hard": AcceptanceRule(threshold=2.0, min_length=0.0)},
    )
    agent = make_agent("hi_ors", SPEC, DistillSettings(network=TINY, rules=rules))
    shown = demonstrate(0)
    parts = (shown.states, shown.actions, shown.human, shown.rewards)
    assert agent.add(make_trajectory(*parts, dt=0.1, task="easy")).accepted
    assert not agent.add(make_trajectory(*parts, dt=0.1, task="hard")).accepted


def test_filters_drop_what_does_not_move_and_what_the_policy_did():
    still = np.zeros((6, 3), np.float32)
    still[3:, 0] = 0.1
    human = np.arange(6) >= 4
    trajectory = make_trajectory(
        np.zeros((7, 5)), still, human, [0, 0, 0, 0, 0, 1], dt=0.1, span=0.1, grippers=(2,)
    )
    rules = AcceptanceRules(default=AcceptanceRule(min_length=0.0, min_transitions=0))
    settings = {"network": TINY, "rules": rules}
    keep = [
        (DistillSettings(**settings, noop_threshold=0.0), 6),
        (DistillSettings(**settings, noop_threshold=0.01), 3),
        (DistillSettings(**settings, noop_threshold=0.01, human_only=True), 2),
        (DistillSettings(**settings, noop_threshold=0.0, data=DataSettings(lead_up=0.25)), 4),
    ]
    for chosen, rows in keep:
        assert make_agent("hi_ors", SPEC, chosen).add(trajectory).rows == rows
    short = DistillSettings(
        network=TINY, rules=AcceptanceRules(default=AcceptanceRule(min_length=5.0))
    )
    intake = make_agent("hi_ors", SPEC, short).add(trajectory)
    assert "shorter than L_min 5 s" in intake.reasons[0]


def test_the_ratio_of_updates_to_data_is_kept():
    settings = DistillSettings(
        network=TINY, data=DataSettings(min_transitions=1, batch_size=4),
        rules=AcceptanceRules(default=AcceptanceRule(min_length=0.0)),
        pacing=PacingSettings(utd=3.0),
    )  # fmt: skip
    agent = make_agent("hi_ors", SPEC, settings)
    rows = agent.add(demonstrate_online(0)).rows
    assert agent.budget == 3 * rows


def test_failures_teach_a_critic_but_not_an_imitator():
    for name in AGENTS:
        agent = quick(name)
        failed = rollout(agent, 3)
        assert failed.episode_return == 0.0
        assert agent.add(failed).accepted is (name != "hi_ors")


@pytest.mark.parametrize(("terminal", "known"), [(True, 6), (False, 4)])
def test_a_chunk_within_which_the_task_ends_is_known_and_one_cut_off_is_not(terminal, known):
    steps = np.arange(6, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    trajectory = make_trajectory(
        np.zeros((7, 5)), steps, [False] * 6, [0, 0, 0, 0, 0, 1], dt=0.1, terminal=terminal,
        lead=np.full((6, 3), 0.5), grippers=(2,),
    )  # fmt: skip
    replay = Replay(5, 3)
    replay.add(trajectory)
    rng = np.random.default_rng(0)
    drawn = join_steps(*(replay.sample(rng, 200, horizon=3, discount=0.5) for _ in range(2)))
    first = drawn.actions[:, 0, 0] - 0.5
    assert sorted(set(first[drawn.whole > 0].tolist())) == list(range(known))
    last = drawn.actions[first == 5]
    assert last[0, :, 0].tolist() == [5.5, 5.0, 5.0], "the last action goes on"
    assert drawn.returns[first == 4][0] == 0.5
    assert bool((drawn.continues[first == 4] == 0.0).all()) is terminal


def test_chunks_do_not_cross_the_end():
    actions = np.arange(5, dtype=np.float32)[:, None]
    chunks, mask = windows(actions, np.array([0, 3]), 4)
    assert chunks[..., 0].tolist() == [[0, 1, 2, 3], [3, 4, 4, 4]]
    assert mask.tolist() == [[True] * 4, [True, True, False, False]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"states": np.zeros((5, 2))},
        {"actions": np.zeros((0, 2)), "states": np.zeros((1, 2)), "human": [], "rewards": []},
        {"actions": np.full((5, 2), np.nan)},
        {"rewards": [0.0] * 4},
        {"dt": 0.0},
        {"marks": [3, 1]},
        {"marks": [5]},
        {"motion": [1.0]},
    ],
)
def test_arrays_that_do_not_fit_are_refused(wrong):
    fields = {
        "states": np.zeros((6, 2)), "actions": np.zeros((5, 2)), "human": [False] * 5,
        "rewards": [0.0] * 5, "dt": 0.1,
    }  # fmt: skip
    with pytest.raises(InvalidValue):
        make_trajectory(**{**fields, **wrong})


def test_wrong_names_and_settings_are_refused():
    with pytest.raises(UnknownName, match=r"agent 'hilserl'.*'hil_serl'"):
        make_agent("hilserl", SPEC)
    with pytest.raises(InvalidValue, match="needs SacSettings, got QChunkSettings"):
        make_agent("hil_serl", SPEC, QChunkSettings())
    for bad in (
        lambda: SacSettings(gripper_levels=1),
        lambda: SacSettings(subset=3),
        lambda: QChunkSettings(samples=0),
        lambda: QChunkSettings(network=NetworkSettings(head="token")),
        lambda: DistillSettings(execute=17),
        lambda: AgentSpec(features=0, actions=1),
        lambda: AgentSpec(features=1, actions=1, grippers=(1,)),
    ):
        with pytest.raises(InvalidValue):
            bad()
