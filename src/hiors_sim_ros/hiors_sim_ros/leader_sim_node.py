# SPDX-License-Identifier: Apache-2.0
"""Emulated leader arms on ptys, and the scripted person who moves one of them and presses its
buttons. leader_node reads them by cable, as it reads real ones; nothing else of ROS is said here.
"""

import sys

from hiors_core.authority import Authority
from hiors_core.clock import to_s
from hiors_core.errors import HiorsError
from hiors_ros.node import run_node
from hiors_sim.leader_arm import LeaderArm, LeaderZeros
from hiors_sim.leader_hand import Glance, LeaderHand
from hiors_sim.operator import OperatorAction
from hiors_sim.scene_view import SceneView
from hiors_sim_ros.parameters import LeaderArmSimParameters, LeaderSimParameters
from hiors_sim_ros.person_node import PersonNode

_REACTION = 0.3
"""From HUMAN to the first motion of the hand [s]."""


class LeaderSimNode(PersonNode):
    """Owns the leaders and the hand."""

    def __init__(self) -> None:
        super().__init__("leader_sim", hardware_id="simulation")
        p = self.declare_all(LeaderSimParameters)
        robot = self.build(p)
        parts = {
            arm.name: self.declare_all(LeaderArmSimParameters, f"{arm.name}.")
            for arm in robot.arms
        }
        self.finish_parameters()
        self._leaders: dict[str, LeaderArm] = {}
        try:
            for arm in robot.arms:
                a = parts[arm.name]
                zeros = LeaderZeros(
                    offsets=a.offsets,
                    gripper_closed=a.gripper_closed,
                    gripper_opened=a.gripper_opened,
                )
                leader = LeaderArm(arm, zeros, self._steady, a.port)
                leader.emulator.start()
                self._leaders[arm.name] = leader
        except HiorsError:
            self.close()
            raise
        self._hand = LeaderHand(self._arm, self._leaders[self._arm.name]) if p.hand else None
        self.watch()

    @property
    def authority(self) -> Authority:
        """Who drives. The robot still comes to the leader in the first moments of HUMAN: a person
        waits until they feel that the leader is let go.
        """
        lasting = to_s(self._steady.now() - self._changed) >= _REACTION
        human = self._authority is Authority.HUMAN
        return Authority.HANDOVER if human and not lasting else self._authority

    def close(self) -> None:
        """Take the ptys away."""
        for leader in self._leaders.values():
            leader.emulator.stop()

    def act(self, action: OperatorAction, view: SceneView) -> None:
        """Let the hand do it."""
        if self._hand is None:
            return
        seen = Glance(
            time=to_s(view.stamp),
            authority=view.authority,
            joints=self._joints.position[:-1].copy(),
            gripper=view.gripper,
            tool=view.tool,
        )
        self._hand.step(action, seen)

    def let_go(self) -> None:
        """The hand wants nothing any more."""
        if self._hand is not None:
            self._hand.let_go()


def main() -> int:
    """Run the node."""
    return run_node(LeaderSimNode)


if __name__ == "__main__":
    sys.exit(main())
