# SPDX-License-Identifier: Apache-2.0
"""An emulated leader in a hand that places it, for the tests of the leader's parts."""

import numpy as np

from hiors_sim.dynamixel import LeaderEmulator
from hiors_xtrainer.leader_mapping import LeaderMapping
from hiors_xtrainer.leader_settings import LeaderCalibration, LeaderSettings

IDS = (1, 2, 4, 5, 6, 7)
SIGNS = (1, 1, -1, -1, -1, 1)
CALIBRATION = LeaderCalibration(
    offsets=(3631, 593, 3064, 2425, 1512, 4090), gripper_closed=2264, gripper_opened=1923
)


def settings(port: str, **other: object) -> LeaderSettings:
    values = {"ids": IDS, "signs": SIGNS, "gripper_id": 8, "second_ids": (3,)}
    values |= {"second_joints": (2,), "second_signs": (0,)}
    return LeaderSettings(port=port, **values | other)


class Hand:
    """Holds an emulated leader: says in the follower's terms where its joints are."""

    def __init__(self, leader: LeaderEmulator) -> None:
        self.leader = leader
        self.mapping = LeaderMapping(SIGNS, CALIBRATION)

    def place(self, joints: np.ndarray, opening: float = 1.0) -> None:
        near = np.array([self.leader.servos[i].ticks for i in IDS])
        for number, ticks in zip(IDS, self.mapping.goal(joints, near), strict=True):
            self.leader.servos[number].place(int(ticks))
        c = CALIBRATION
        stroke = c.gripper_opened - c.gripper_closed
        self.leader.servos[8].place(round(c.gripper_closed + opening * stroke))

    @property
    def joints(self) -> np.ndarray:
        ticks = np.array([round(self.leader.servos[i].ticks) for i in IDS])
        return self.mapping.joints(ticks, np.zeros(6))
