# SPDX-License-Identifier: Apache-2.0
"""The scripted hand on an emulated leader arm, in made-up time: what it moves and presses."""

from pathlib import Path

import numpy as np
import pytest

from hiors_core.authority import Authority
from hiors_core.clock import FakeClock
from hiors_core.errors import InvalidValue
from hiors_core.kinematics import ArmKinematics
from hiors_core.label import Outcome
from hiors_core.robot import Arm, load_robot
from hiors_core.teleop import Teleop
from hiors_sim.dynamixel import TORQUE
from hiors_sim.leader_arm import LeaderArm, LeaderZeros
from hiors_sim.leader_hand import Glance, LeaderHand
from hiors_sim.operator import OperatorAction

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"
ZEROS = {"offsets": (3631, 593, 3064, 2425, 1512, 4090)}
ZEROS |= {"gripper_closed": 2264, "gripper_opened": 1923}
DT = 1 / 30


class Scene:
    """A robot that stands where it is put, and the person with the leader."""

    def __init__(self, arm: Arm, folder: Path) -> None:
        self.arm, self.now = arm, 100.0
        self.leader = LeaderArm(arm, LeaderZeros(**ZEROS), FakeClock(), folder / "leader")
        self.hand = LeaderHand(arm, self.leader)
        self.joints, self.gripper = arm.home + 0.1, 1.0
        self.authority = Authority.POLICY
        self.presses: list[tuple[str, float]] = []
        self._down = ""

    def teleop(self, *, x: float = 0.0, gripper: float | None = None, engaged: bool = True):
        pose = np.array([x, 0, 0, 0, 0, 0, 1.0])
        return Teleop(
            stamp=0, device="", operator="", arm=self.arm.name, mode="relative_ee",
            engaged=engaged, clutch=1, pose=pose, names=(), position=np.empty(0), gripper=gripper,
        )  # fmt: skip

    def play(self, seconds: float, teleop: Teleop | None = None, **action: object) -> None:
        """Give an action once, and its motion for so long."""
        for i in range(round(seconds / DT)):
            self.now += DT
            wish = OperatorAction(teleop=teleop, **(action if i == 0 else {}))
            tool = ArmKinematics(self.arm).forward(self.joints)
            self.hand.step(
                wish,
                Glance(
                    time=self.now, authority=self.authority,
                    joints=self.joints, gripper=self.gripper, tool=tool,
                ),
            )  # fmt: skip
            self._note()

    def _note(self) -> None:
        board = self.leader.board
        down = "a" if board.a else "b" if board.b else ""
        if down and not self._down:
            self._since = self.now
        if self._down and not down:
            self.presses.append((self._down, self.now - self._since))
        self._down = down


@pytest.fixture
def arm() -> Arm:
    return load_robot(ROBOT, ["left"]).arms[0]


@pytest.fixture
def scene(arm: Arm, tmp_path: Path) -> Scene:
    return Scene(arm, tmp_path)


def test_the_leader_is_kept_near_the_robot_but_not_exactly_there(scene: Scene) -> None:
    scene.play(2.0)
    away = np.abs(scene.leader.joints - scene.joints)
    assert 0.05 < away.max() <= 0.13
    assert scene.presses == []


def test_to_take_over_it_presses_a_until_the_robot_comes_and_again_to_give_back(
    scene: Scene,
) -> None:
    scene.play(8.0, scene.teleop())
    assert [name for name, _ in scene.presses] == ["a", "a", "a"], "tried again every 3 s"
    assert all(length > 1.0 for _, length in scene.presses)
    scene.authority = Authority.HUMAN
    scene.play(4.0, scene.teleop())
    assert len(scene.presses) == 3
    scene.play(2.0, scene.teleop(engaged=False))
    assert len(scene.presses) == 4
    scene.authority = Authority.POLICY
    scene.play(4.0)
    assert len(scene.presses) == 4


def test_it_ends_nothing_that_it_did_not_begin(scene: Scene) -> None:
    scene.authority = Authority.HUMAN
    scene.play(5.0)
    scene.authority = Authority.STOPPED
    scene.play(5.0, scene.teleop())
    assert scene.presses == []


@pytest.mark.parametrize(("outcome", "long"), [(Outcome.SUCCESS, False), (Outcome.FAILURE, True)])
def test_labels_are_short_and_long_presses_of_b_until_the_episode_ends(
    scene: Scene, outcome: Outcome, long: bool
) -> None:
    scene.play(5.0, label=outcome)
    scene.hand.let_go()
    scene.play(5.0)
    assert [name for name, _ in scene.presses] == ["b", "b"]
    assert all((length > 1.0) == long and not 0.5 < length <= 1.0 for _, length in scene.presses)


def test_the_end_of_the_episode_takes_the_finger_off_the_button(scene: Scene) -> None:
    scene.play(0.3, label=Outcome.FAILURE)
    assert scene.leader.board.b
    scene.hand.let_go()
    scene.play(5.0)
    ((button, length),) = scene.presses
    assert (button, length < 0.5) == ("b", True)


def test_the_joints_bring_the_tool_where_the_operator_wants_it(scene: Scene) -> None:
    scene.play(2.0)
    scene.authority = Authority.HUMAN
    scene.play(1.0, scene.teleop(x=0.08))
    kinematics = ArmKinematics(scene.arm)
    moved = kinematics.forward(scene.leader.joints) - kinematics.forward(scene.joints)
    np.testing.assert_allclose(moved, [0.08, 0, 0, 0, 0, 0, 0], atol=1e-3)


def test_a_motor_that_holds_is_not_moved_by_hand(scene: Scene) -> None:
    before = scene.leader.joints
    for servo in scene.leader.emulator.servos.values():
        servo.write(TORQUE, b"\x01")
    scene.play(1.0)
    np.testing.assert_allclose(scene.leader.joints, before, atol=2e-3)


def test_the_handle_is_pressed_to_a_shut_gripper_before_it_is_opened(scene: Scene) -> None:
    scene.authority, scene.gripper = Authority.HUMAN, 0.4
    openings = []
    for _ in range(30):
        scene.play(DT, scene.teleop(gripper=1.0))
        openings.append(scene.leader.opening)
    assert min(openings) < 0.4
    assert openings[-1] == pytest.approx(1.0)


def test_zeros_of_another_machine_are_refused() -> None:
    with pytest.raises(InvalidValue, match="6 offsets"):
        LeaderZeros(offsets=(1, 2), gripper_closed=0, gripper_opened=300)
