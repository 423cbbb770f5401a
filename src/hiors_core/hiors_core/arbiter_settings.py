# SPDX-License-Identifier: Apache-2.0
"""Time-outs and tolerances of the arbiter. Values only."""

import math
from dataclasses import dataclass, field

from hiors_core.action_space import KINDS
from hiors_core.chunk import ChunkRules
from hiors_core.errors import InvalidValue
from hiors_core.homing import HomeRules
from hiors_core.teleop import TeleopRules


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterSettings:
    """Time-outs and tolerances of the arbiter.

    Attributes:
        feedback_timeout: age of the joint feedback at which the robot holds [s].
        follow_tolerance: a joint farther than this from its command does not follow [rad].
        starvation_grace: how long POLICY stands without a fresh chunk before it is HOLD [s]; the
            robot holds its position from the first such tick.
        first_chunk_timeout: the same, from the request for POLICY to its first chunk [s].
        resume_window: for how long after a starvation fresh chunks resume POLICY unasked [s].
        release_timeout: silence of every device after which HUMAN is HOLD [s].
        action_spaces: kinds of chunks that are accepted.
    """

    feedback_timeout: float = 0.2
    follow_tolerance: float = 0.5
    starvation_grace: float = 0.15
    first_chunk_timeout: float = 2.0
    resume_window: float = 10.0
    release_timeout: float = 5.0
    action_spaces: tuple[str, ...] = KINDS
    chunk: ChunkRules = field(default_factory=ChunkRules)
    teleop: TeleopRules = field(default_factory=TeleopRules)
    home: HomeRules = field(default_factory=HomeRules)

    def __post_init__(self) -> None:
        for name in self.__slots__[:6]:
            value = getattr(self, name)
            if not math.isfinite(value) or value <= 0.0:
                raise InvalidValue(f"{name} must be above 0, got {value}")
