# SPDX-License-Identifier: Apache-2.0
"""What a person asks for with a button, and which request or label it is. Knows no ROS."""

from enum import StrEnum

from hiors_core.authority import Request
from hiors_core.label import Outcome


class Action(StrEnum):
    """A button of a controller, a page or a panel."""

    SUCCESS = "success"
    FAILURE = "failure"
    DISCARD = "discard"
    UNDO = "undo"
    TOGGLE = "toggle"
    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"
    HOLD = "hold"
    RESET = "reset"
    REZERO = "rezero"
    STOP = "stop"
    RESUME = "resume"


UNDO = 5
"""LabelEpisode.Request.UNDO; not an outcome."""

LABELS = {
    Action.SUCCESS: (int(Outcome.SUCCESS), "Success"),
    Action.FAILURE: (int(Outcome.FAILURE), "Failure"),
    Action.DISCARD: (int(Outcome.DISCARD), "Discard"),
    Action.UNDO: (UNDO, "Undo label"),
}
"""Outcome of LabelEpisode and the words for it."""

REQUESTS = {
    Action.TAKE_OVER: (Request.TAKE_OVER, "Take over"),
    Action.HAND_BACK: (Request.POLICY, "Hand back"),
    Action.HOLD: (Request.HOLD, "Hold"),
    Action.RESET: (Request.HOME, "Reset to home"),
    Action.STOP: (Request.STOP, "Stop"),
    Action.RESUME: (Request.RESUME, "Resume"),
}
"""Request of SetAuthority and the words for it."""
