# SPDX-License-Identifier: Apache-2.0
"""Accept and distill really learns: from about nothing to most goals reached, on fresh ones."""

from reach import SPEC, demonstrate, rollout, success

from hiors_core.acceptance import AcceptanceRule, AcceptanceRules
from hiors_learner.agents import make_agent
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
