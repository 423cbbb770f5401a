# SPDX-License-Identifier: Apache-2.0
"""Every agent by name. Knows no algorithm."""

from dataclasses import replace
from typing import TypeVar

from hiors_core.errors import InvalidValue, UnknownName
from hiors_learner.agent import Agent, AgentSpec
from hiors_learner.baselines.qchunk import QChunkAgent, QChunkSettings
from hiors_learner.baselines.sac import SacAgent, SacSettings
from hiors_learner.distill import DistillAgent, DistillSettings

Settings = DistillSettings | SacSettings | QChunkSettings
S = TypeVar("S", DistillSettings, SacSettings, QChunkSettings)

AGENTS = ("hi_ors", "hil_serl", "qc", "qc_fql")


def make_agent(
    name: str, spec: AgentSpec, settings: Settings | None = None, seed: int = 0
) -> Agent:
    """Return a new agent; behaviour cloning is hi_ors with other data.

    Args:
        settings: of the agent's own kind; their defaults when None.
    """
    if name == "hi_ors":
        return DistillAgent(spec, _own(name, settings, DistillSettings), seed)
    if name == "hil_serl":
        return SacAgent(spec, _own(name, settings, SacSettings), seed)
    if name in ("qc", "qc_fql"):
        chosen = _own(name, settings, QChunkSettings)
        actor = "one_step" if name == "qc_fql" else "best_of_n"
        return QChunkAgent(spec, replace(chosen, actor=actor), seed)
    raise UnknownName("agent", name, AGENTS)


def _own(name: str, settings: Settings | None, kind: type[S]) -> S:
    if settings is None:
        return kind()
    if not isinstance(settings, kind):
        raise InvalidValue(f"Agent {name} needs {kind.__name__}, got {type(settings).__name__}")
    return settings
