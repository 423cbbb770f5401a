# SPDX-License-Identifier: Apache-2.0
"""The driver of the X-Trainer without ROS: commands of the arbiter in, ServoJ and gripper goals
out at a steady rate.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock
from hiors_core.command import Command
from hiors_core.driver_arm import ArmStatus, Reading
from hiors_core.errors import UnknownName
from hiors_core.robot import RobotModel
from hiors_core.set_points import SetPoints, StreamSettings
from hiors_xtrainer.arm import ArmLink
from hiors_xtrainer.claim import ArmClaim
from hiors_xtrainer.settings import DriverSettings

Array = NDArray[np.float64]


class ServoArm:
    """An arm and its gripper as the stream of set-points wants them."""

    def __init__(self, link: ArmLink, settings: DriverSettings) -> None:
        self.name = link.name
        self.check, self.stop, self.release = link.check, link.stop, link.release
        self._link, self._settings = link, settings

    @property
    def status(self) -> ArmStatus:
        """State with its reason."""
        return self._link.status

    def reading(self) -> Reading | None:
        """Return joints and gripper, None while the feedback is missing or old."""
        feedback, gripper = self._link.feedback, self._link.gripper
        if feedback is None:
            return None
        hand = gripper.reading if gripper else None
        return Reading(
            stamp=feedback.stamp,
            position=np.append(feedback.position, hand.opening if hand else 0.0),
            velocity=np.append(feedback.velocity, hand.velocity if hand else 0.0),
        )

    def write(self, position: Array) -> bool:
        """Send ServoJ and the gripper's goal."""
        s = self._settings
        done = self._link.servo(position[:-1], s.period, s.lookahead, s.gain)
        if self._link.gripper:
            self._link.gripper.move(float(position[-1]))
        return done


class XTrainerDriver(SetPoints):
    """Drives the arms of ``settings``, which must be those of ``robot``."""

    def __init__(
        self,
        robot: RobotModel,
        settings: DriverSettings,
        clock: Clock,
        on_executed: Callable[[Command], None] = lambda _: None,
    ) -> None:
        for arm in robot.arms:
            if arm.name not in settings.arms:
                raise UnknownName("arm", arm.name, settings.arms, "It has no settings.")
        self._links = [ArmLink(arm.name, settings.arms[arm.name], clock) for arm in robot.arms]
        self._claims = [
            ArmClaim(a.host, a.dashboard_port, settings.lock_folder)
            for a in (settings.arms[arm.name].address for arm in robot.arms)
        ]
        stream = StreamSettings(
            period=settings.period,
            delay=settings.delay,
            command_timeout=settings.command_timeout,
            max_jump=settings.max_jump,
        )
        arms = [ServoArm(link, settings) for link in self._links]
        super().__init__(robot, arms, stream, clock, on_executed)
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self.run, args=(self._ended,), name="servo stream", daemon=True
        )

    def claim(self) -> None:
        """Claim the arms on this machine, or raise StateError that names who has them."""
        try:
            for claim in self._claims:
                claim.take()
        except Exception:
            self._release()
            raise

    def start(self) -> None:
        """Claim the arms, connect and stream."""
        self.claim()
        for link in self._links:
            link.start()
        self._thread.start()

    def close(self) -> None:
        """Stop streaming and disconnect; the arms hold their position."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        for link in self._links:
            link.close()
        self._release()

    def enable(self) -> "list[Future[str]]":
        """Ask every arm for a start-up."""
        return [link.enable() for link in self._links]

    def clear_error(self) -> "list[Future[str]]":
        """Ask every arm to clear its alarms."""
        return [link.clear_error() for link in self._links]

    def output(self, arm: str, index: int, on: bool) -> "Future[str]":
        """Ask to set a digital output at one arm's controller, by its number from 1."""
        links = {link.name: link for link in self._links}
        if arm not in links:
            raise UnknownName("arm", arm, links)
        return links[arm].output(index, on)

    def counters(self) -> dict[str, int]:
        """Return the links' counters, by arm."""
        return {f"{ln.name}.{k}": v for ln in self._links for k, v in ln.counters.items()}

    def _release(self) -> None:
        for claim in self._claims:
            claim.release()
