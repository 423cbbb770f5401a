# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass

import numpy as np
import pytest

from hiors_core.filters import keep_moving, leading_up, relative_norm


@dataclass
class Step:
    motion: float
    terminal: bool = False


def still(rows=5, arms=1):
    return np.tile([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0], (rows, arms))


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_standing_still_is_zero(rows):
    assert relative_norm(still(rows)) == 0.0


@pytest.mark.parametrize(
    ("column", "change", "norm"), [(0, 0.02, 0.02), (2, -0.03, 0.03), (6, -1.0, 0.01)]
)
def test_translation_and_gripper_count_in_metres(column, change, norm):
    actions = still()
    actions[2, column] += change
    assert relative_norm(actions) == pytest.approx(norm)


@pytest.mark.parametrize("angle", [1e-6, 1e-3, 0.5, 3.0])
def test_rotation_counts_by_its_angle(angle):
    actions = still()
    actions[:, 3:6] = 0.0
    actions[3, 4] = angle
    assert relative_norm(actions) == pytest.approx(0.1 * angle, rel=1e-6)


def test_a_rotation_vector_and_its_other_name_are_the_same_rotation():
    actions = still(2)
    actions[0, 3:6] = [0.0, 0.0, 3.0]
    actions[1, 3:6] = [0.0, 0.0, 3.0 - 2.0 * np.pi]
    assert relative_norm(actions) == pytest.approx(0.0, abs=1e-7)


def test_there_and_back_is_motion():
    actions = still(3)
    actions[1, 1] += 0.05
    assert relative_norm(actions) == pytest.approx(0.05)


def test_the_arm_that_moves_most_counts():
    actions = still(2, arms=2)
    actions[1, 7] += 0.2
    assert relative_norm(actions) == pytest.approx(0.2)


def test_no_ops_go_and_the_terminal_step_stays():
    steps = [Step(0.0), Step(0.001), Step(0.0009), Step(0.0, terminal=True)]
    assert keep_moving(steps, 0.001) == [steps[1], steps[3]]
    assert keep_moving([], 0.001) == []


@pytest.mark.parametrize(
    ("human", "span", "lost"),
    [
        ("....hh..", 0.25, "..xx...."),
        ("....hh..", 0.0, "........"),
        ("....hh..", 9.0, "xxxx...."),
        (".h.h....", 0.15, "x.x....."),
        ("hhhh....", 1.0, "........"),
        ("........", 1.0, "........"),
        ("", 1.0, ""),
    ],
)
def test_what_the_policy_did_before_a_take_over_leads_up_to_it(human, span, lost):
    flags = np.array([c == "h" for c in human], np.bool_)
    found = leading_up(flags, 0.1 * np.arange(len(human)), span)
    assert "".join("x" if bad else "." for bad in found) == lost
