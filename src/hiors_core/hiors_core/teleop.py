# SPDX-License-Identifier: Apache-2.0
"""What a person's device asks of one arm, and how that becomes a target without a jump.

Relative end-effector motion is anchored at the measured pose when the clutch closes; absolute
joints are approached slowly until the robot is where the leader arm is. Knows no other arm and
not who has authority.
"""

import math
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from hiors_core.action_space import miss
from hiors_core.clock import to_ns, to_s
from hiors_core.errors import InvalidValue
from hiors_core.geometry import (
    quat_conjugate,
    quat_multiply,
    quat_to_matrix,
    quat_to_rotvec,
    rotvec_to_quat,
)
from hiors_core.kinematics import ArmKinematics
from hiors_core.robot import Arm

Array = NDArray[np.float64]

MODES = ("relative_ee", "joint")
_MAX_DELAY = 0.5
_CLOCK_SLACK = 0.05
_REPORTED_MISS = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Teleop:
    """One message of a person's device for one arm.

    Attributes:
        stamp: capture time [ns]. device, operator: for the record. arm: name in the robot file.
        mode: "relative_ee" or "joint".
        engaged: deadman or clutch is closed.
        clutch: grows each time the clutch closes.
        pose: (7,) motion since the clutch closed, along the arm's base axes: x y z [m] and
            quaternion x y z w.
        names, position: (n,) joint names and absolute targets [rad] of mode "joint".
        gripper: 0 closed .. 1 open; None (or NaN) leaves it as it is.
    """

    stamp: int
    device: str
    operator: str
    arm: str
    mode: str
    engaged: bool
    clutch: int
    pose: Array
    names: tuple[str, ...]
    position: Array
    gripper: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeleopRules:
    """How a person's device may drive.

    Attributes:
        timeout: silence after which the arm holds and the clutch must close again [s].
        max_jump, max_turn, max_joint_jump: between two messages; more is a tracking fault
            [m], [rad], [rad].
        translation_scale, rotation_scale: robot motion per hand motion.
        approach_velocity: at which joints go to the leader arm [rad/s].
        approach_tolerance: within which the leader arm has the robot [rad].
        approach_limit: a leader arm farther away than this is not followed [rad].
    """

    timeout: float = 0.2
    max_jump: float = 0.15
    max_turn: float = 0.8
    max_joint_jump: float = 0.6
    translation_scale: float = 1.0
    rotation_scale: float = 1.0
    approach_velocity: float = 0.4
    approach_tolerance: float = 0.05
    approach_limit: float = 0.6

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not math.isfinite(value) or value <= 0.0:
                raise InvalidValue(f"{name} must be above 0, got {value}")


class Phase(Enum):
    """How a device has its arm."""

    RELEASED = auto()
    APPROACHING = auto()
    DRIVING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTarget:
    """Wished joints and gripper (n + 1,) of an arm, with what had to be changed in the wish."""

    position: Array
    notes: tuple[str, ...] = ()


class ArmTeleop:
    """One arm's clutch: takes messages, says where the arm should be."""

    def __init__(self, arm: Arm, kinematics: ArmKinematics, rules: TeleopRules) -> None:
        self._arm, self._kinematics, self._rules = arm, kinematics, rules
        self._latest: Teleop | None = None
        self._arrival = 0
        self._void: int | None = None
        self._anchor: Array | None = None
        self._origin: Array | None = None
        self.phase = Phase.RELEASED
        self.problem = ""
        """Why the arm does not follow although the device asks it to; empty when it follows."""

    @property
    def last_arrival(self) -> int:
        """Time of the last accepted message [ns]; 0 before the first."""
        return self._arrival

    def release(self) -> None:
        """Drop the anchor: the arm holds until the clutch closes again, under any number."""
        self._drop("")
        self._void = None

    def accept(self, teleop: Teleop, now: int) -> str | None:
        """Take in a message, or return why it is refused, beginning with the field's name."""
        if (reason := self._check(teleop, now)) is not None:
            return reason
        if self._latest is not None and self.phase is not Phase.RELEASED:
            if now - self._arrival > to_ns(self._rules.timeout):
                self._lose(f"nothing heard for {to_s(now - self._arrival):.2f} s", teleop.clutch)
            self._guard(self._latest, teleop)
        if not teleop.engaged:
            self._drop("")
            self._void = None
        self._latest, self._arrival = teleop, now
        return None

    def target(self, now: int, command: Array, measured: Array, dt: float) -> ArmTarget | None:
        """Return where the arm should be, or None to hold.

        Args:
            command: (n + 1,) the command in force. measured: (n + 1,) feedback. dt: tick [s].
        """
        teleop = self._latest
        if teleop is None or not teleop.engaged:
            return None
        if now - self._arrival > to_ns(self._rules.timeout):
            self._lose(f"nothing heard for {to_s(now - self._arrival):.2f} s")
            return None
        if self._void == teleop.clutch:
            return None
        if teleop.mode == "joint":
            return self._follow(teleop, command, measured, dt)
        return self._relative(teleop, command, measured)

    def _relative(self, teleop: Teleop, command: Array, measured: Array) -> ArmTarget:
        if self._anchor is None or self._origin is None:
            self._anchor = self._kinematics.forward(measured[:-1])
            # The stream may have been engaged before the person had authority: only motion from
            # now on counts.
            self._origin = teleop.pose
            self.phase, self.problem = Phase.DRIVING, ""
        rules = self._rules
        moved = rules.translation_scale * (teleop.pose[:3] - self._origin[:3])
        turned = quat_multiply(teleop.pose[3:], quat_conjugate(self._origin[3:]))
        if rules.rotation_scale != 1.0:
            turned = rotvec_to_quat(rules.rotation_scale * quat_to_rotvec(turned))
        wished = self._anchor[:3] + moved
        box = self._arm.limits
        inside = np.minimum(np.maximum(wished, box.workspace_lower), box.workspace_upper)
        notes = []
        if (outside := float(np.abs(wished - inside).max())) > 1e-6:
            notes.append(f"{self._arm.name}: pose {outside * 1e3:.0f} mm outside the workspace")
        rotation = quat_to_matrix(quat_multiply(turned, self._anchor[3:]))
        found = self._kinematics.solve(inside, rotation, command[:-1])
        if max(found.position_error, found.rotation_error) > _REPORTED_MISS:
            notes.append(miss(self._arm.name, found.position_error, found.rotation_error))
        return ArmTarget(
            position=np.append(found.q, self._gripper(teleop, command)), notes=tuple(notes)
        )

    def _follow(
        self, teleop: Teleop, command: Array, measured: Array, dt: float
    ) -> ArmTarget | None:
        order = [teleop.names.index(name) for name in self._arm.joints]
        leader = teleop.position[order]
        if self.phase is Phase.RELEASED:
            far = np.abs(leader - measured[:-1])
            worst = int(far.argmax())
            if far[worst] > self._rules.approach_limit:
                self.problem = (
                    f"{self._arm.joints[worst]}: leader is {far[worst]:.2f} rad away, "
                    f"bring it within {self._rules.approach_limit} rad"
                )
                return None
            self.phase, self.problem = Phase.APPROACHING, ""
        gripper = self._gripper(teleop, command)
        if self.phase is Phase.APPROACHING:
            step = self._rules.approach_velocity * dt
            away = leader - command[:-1]
            if np.abs(away).max() <= self._rules.approach_tolerance:
                self.phase = Phase.DRIVING
            else:
                leader = command[:-1] + np.clip(away, -step, step)
        return ArmTarget(position=np.append(leader, gripper))

    def _gripper(self, teleop: Teleop, command: Array) -> float:
        if teleop.gripper is None or math.isnan(teleop.gripper):
            return float(command[-1])
        return teleop.gripper

    def _guard(self, before: Teleop, after: Teleop) -> None:
        if not after.engaged:
            return
        if after.clutch != before.clutch or after.mode != before.mode:
            self._drop("")
        elif after.mode == "relative_ee":
            jump = float(np.linalg.norm(after.pose[:3] - before.pose[:3]))
            turn = quat_multiply(after.pose[3:], quat_conjugate(before.pose[3:]))
            angle = float(np.linalg.norm(quat_to_rotvec(turn)))
            if jump > self._rules.max_jump or angle > self._rules.max_turn:
                self._lose(f"pose jumped by {jump:.2f} m, {angle:.2f} rad", after.clutch)
        else:
            jump = float(np.abs(after.position - before.position).max())
            if jump > self._rules.max_joint_jump:
                self._lose(f"leader jumped by {jump:.2f} rad", after.clutch)

    def _lose(self, why: str, clutch: int | None = None) -> None:
        if self.phase is Phase.RELEASED:
            return
        self._drop(f"{self._arm.name}: {why}; close the clutch again")
        latest = self._latest
        self._void = clutch if clutch is not None else latest.clutch if latest else None

    def _drop(self, problem: str) -> None:
        self.phase, self.problem = Phase.RELEASED, problem
        self._anchor = self._origin = None

    def _check(self, teleop: Teleop, now: int) -> str | None:
        if teleop.mode not in MODES:
            return f"mode: '{teleop.mode}' is not one of {', '.join(MODES)}"
        if (reason := self._check_owner(teleop, now)) is not None:
            return reason
        age = to_s(now - teleop.stamp)
        if not -_CLOCK_SLACK <= age <= _MAX_DELAY:
            return f"stamp: {age:.3f} s old, must be within {-_CLOCK_SLACK} .. {_MAX_DELAY} s"
        gripper = teleop.gripper
        if gripper is not None and not math.isnan(gripper) and not 0.0 <= gripper <= 1.0:
            return f"gripper: {gripper}, must be within 0 .. 1, or NaN to leave it"
        if teleop.mode == "joint":
            return self._check_joints(teleop)
        return _check_pose(teleop.pose)

    def _check_owner(self, teleop: Teleop, now: int) -> str | None:
        latest = self._latest
        if latest is None:
            return None
        if latest.device == teleop.device:
            late = to_s(latest.stamp - teleop.stamp)
            return f"stamp: {late:.3f} s before the last one" if late > 0.0 else None
        if latest.engaged and now - self._arrival <= to_ns(self._rules.timeout):
            return f"device: '{latest.device}' has the {self._arm.name} arm"
        return None

    def _check_joints(self, teleop: Teleop) -> str | None:
        if sorted(teleop.names) != sorted(self._arm.joints):
            return f"names: {', '.join(teleop.names)}; must be {', '.join(self._arm.joints)}"
        if teleop.position.shape != (len(teleop.names),):
            return f"position: shape {teleop.position.shape}, must be ({len(teleop.names)},)"
        if not np.isfinite(teleop.position).all():
            return "position: must be finite"
        return None


def _check_pose(pose: Array) -> str | None:
    if pose.shape != (7,):
        return f"pose: shape {pose.shape}, must be (7,)"
    if not np.isfinite(pose).all():
        return "pose: must be finite"
    norm = float(np.linalg.norm(pose[3:]))
    if abs(norm - 1.0) > 1e-3:
        return f"pose: quaternion has norm {norm:.4f}, must be 1"
    return None
