# SPDX-License-Identifier: Apache-2.0
"""Every agent really learns: from about nothing to most goals reached, on fresh ones."""

import pytest
from reach import SPEC, demonstrate, rollout, success

from hiors_core.acceptance import AcceptanceRule, AcceptanceRules
from hiors_learner.agents import make_agent
from hiors_learner.baselines.qchunk import QChunkSettings
from hiors_learner.baselines.sac import SacSettings
from hiors_learner.distill import DistillSettings
from hiors_policy.network import NetworkSettings

FRESH = range(1000, 1050)
SMALL = NetworkSettings(width=64, blocks=2)


def test_hi_ors_learns_from_demonstrations_and_its_own_successes():
    rules = AcceptanceRules(default=AcceptanceRule(min_length=0.3))
    agent = make_agent("hi_ors", SPEC, DistillSettings(network=SMALL, horizon=8, rules=rules))
    assert success(agent, FRESH) < 0.1
    for seed in range(10):
        agent.add(demonstrate(seed))
    agent.update(400)
    for seed in range(10):
        agent.add(rollout(agent, 100 + seed))
        agent.update(agent.budget)
    assert success(agent, FRESH) >= 0.7


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_hil_serl_learns_by_itself_once_it_was_helped():
    settings = SacSettings(hidden=(64, 64), batch_size=64, utd=4.0, learning_rate=1e-3, tau=0.01)
    agent = make_agent("hil_serl", SPEC, settings)
    assert success(agent, FRESH) < 0.1
    for seed in range(20):
        agent.add(demonstrate(seed))
    for episode in range(120):
        agent.add(rollout(agent, 100 + episode, help_after=10 if episode < 30 else 30))
        agent.update(agent.budget)
        if episode % 10 == 9 and success(agent, FRESH) >= 0.9:
            break
    assert success(agent, range(2000, 2050)) >= 0.8


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["qc", "qc_fql"])
def test_q_chunking_learns_from_demonstrations_and_keeps_it_online(name):
    settings = QChunkSettings(
        horizon=3, network=NetworkSettings(width=48, blocks=1, euler_steps=4), hidden=(64, 64),
        samples=16, target_samples=4, alpha=30.0, batch_size=64, learning_rate=1e-3, tau=0.01,
        discount=0.97,
    )  # fmt: skip
    agent = make_agent(name, SPEC, settings)
    assert success(agent, FRESH) < 0.15
    for seed in range(30):
        agent.add(demonstrate(seed))
    agent.update(1500)
    assert success(agent, FRESH) >= 0.8
    for episode in range(30):
        agent.add(rollout(agent, 100 + episode))
        agent.update(agent.budget)
    assert success(agent, FRESH) >= 0.8
