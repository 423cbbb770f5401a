# SPDX-License-Identifier: Apache-2.0
"""Every legal change of authority, in one table. What is not in it does not happen."""

from enum import Enum

from hiors_core.authority import Authority, Request


class Event(Enum):
    """What can change who drives: a person's request, or something the arbiter noticed."""

    HOLD = "request HOLD"
    POLICY = "request POLICY"
    TAKE_OVER = "request TAKE_OVER"
    STOP = "request STOP"
    RESUME = "request RESUME"
    HOME = "request HOME"
    STARVED = "the policy ran out of fresh chunks"
    FRESH = "fresh chunks after a starvation"
    LOST = "feedback, the robot or the person is lost"
    APPROACH = "a leader arm is away from the robot"
    CAUGHT_UP = "the robot is where the leader arm is"
    AT_HOME = "the home position is reached"


_A, _E = Authority, Event

TRANSITIONS: dict[tuple[Authority, Event], Authority] = {
    (_A.HOLD, _E.HOLD): _A.HOLD,
    (_A.HOLD, _E.POLICY): _A.POLICY,
    (_A.HOLD, _E.TAKE_OVER): _A.HUMAN,
    (_A.HOLD, _E.STOP): _A.STOPPED,
    (_A.HOLD, _E.HOME): _A.HANDOVER,
    (_A.HOLD, _E.FRESH): _A.POLICY,
    (_A.POLICY, _E.HOLD): _A.HOLD,
    (_A.POLICY, _E.POLICY): _A.POLICY,
    (_A.POLICY, _E.TAKE_OVER): _A.HUMAN,
    (_A.POLICY, _E.STOP): _A.STOPPED,
    (_A.POLICY, _E.HOME): _A.HANDOVER,
    (_A.POLICY, _E.STARVED): _A.HOLD,
    (_A.POLICY, _E.LOST): _A.HOLD,
    (_A.HUMAN, _E.HOLD): _A.HOLD,
    (_A.HUMAN, _E.POLICY): _A.POLICY,
    (_A.HUMAN, _E.TAKE_OVER): _A.HUMAN,
    (_A.HUMAN, _E.STOP): _A.STOPPED,
    (_A.HUMAN, _E.HOME): _A.HANDOVER,
    (_A.HUMAN, _E.APPROACH): _A.HANDOVER,
    (_A.HUMAN, _E.LOST): _A.HOLD,
    (_A.HANDOVER, _E.HOLD): _A.HOLD,
    (_A.HANDOVER, _E.POLICY): _A.POLICY,
    (_A.HANDOVER, _E.TAKE_OVER): _A.HUMAN,
    (_A.HANDOVER, _E.STOP): _A.STOPPED,
    (_A.HANDOVER, _E.HOME): _A.HANDOVER,
    (_A.HANDOVER, _E.CAUGHT_UP): _A.HUMAN,
    (_A.HANDOVER, _E.AT_HOME): _A.HOLD,
    (_A.HANDOVER, _E.LOST): _A.HOLD,
    (_A.STOPPED, _E.STOP): _A.STOPPED,
    (_A.STOPPED, _E.RESUME): _A.HOLD,
}
"""(authority, event) -> authority after it."""

EVENT_OF_REQUEST = {request: Event[request.name] for request in Request}


def legal_requests(authority: Authority) -> tuple[Request, ...]:
    """Return what may be requested in this state."""
    return tuple(r for r in Request if (authority, EVENT_OF_REQUEST[r]) in TRANSITIONS)


def refusal(request: Request, authority: Authority) -> str:
    """Return the sentence for a person whose request is not legal in this state."""
    legal = ", ".join(r.name for r in legal_requests(authority))
    return f"{request.name} is not legal in {authority.name}; legal: {legal}"
