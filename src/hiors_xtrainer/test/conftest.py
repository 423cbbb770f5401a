# SPDX-License-Identifier: Apache-2.0
"""A rig: the real driver against emulated arms and grippers, on free ports and ptys."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock
from hiors_core.command import Command
from hiors_core.driver_arm import ArmState
from hiors_core.robot import load_robot
from hiors_sim.dobot import DobotEmulator, Ports
from hiors_sim.dobot_state import ControllerSettings
from hiors_sim.feetech import FeetechEmulator, GripperServo
from hiors_sim.plant import KinematicArm, KinematicGripper
from hiors_xtrainer.dobot import Address
from hiors_xtrainer.driver import XTrainerDriver
from hiors_xtrainer.feetech import GripperSettings
from hiors_xtrainer.settings import ArmSettings, DriverSettings

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "xtrainer.yaml"
DEADLINE = 30.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds; fail after the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {DEADLINE} s in vain for: {what}")
        time.sleep(0.005)


class Arbiter:
    """Sends commands at 30 Hz from a thread, as the arbiter does."""

    def __init__(self, driver: XTrainerDriver, clock: SteadyClock, start: np.ndarray) -> None:
        self.driver = driver
        self.clock = clock
        self.authority, self.epoch, self.tick = Authority.HOLD, 1, 0
        self.goal = start.copy()
        self.position = start.copy()
        self.speed = 0.5
        self.paused = False
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._running = False
        self._thread.join()

    def _run(self) -> None:
        due = self.clock.now()
        while self._running:
            if not self.paused:
                step = self.speed / 30.0
                self.position = self.position + np.clip(self.goal - self.position, -step, step)
                self.tick += 1
                self.driver.command(self.command(self.position))
            due += 33_333_333
            self.clock.sleep_until(due)

    def command(self, position: np.ndarray) -> Command:
        return Command(
            stamp=self.clock.now(),
            tick=self.tick,
            epoch=self.epoch,
            authority=self.authority,
            position=position,
            policy_version="v000007",
            chunk_sequence=3,
            chunk_time=1.5,
            limited=("limiter: something",),
        )

    def begin(self, authority: Authority) -> None:
        """Change the authority, as a person's request does."""
        self.epoch += 1
        self.authority = authority


class Rig:
    """Emulators, driver and arbiter of the named arms."""

    def __init__(
        self,
        tmp_path: Path,
        arms: list[str],
        hosts: tuple[str, ...] = (),
        chosen: str = "auto",
        **controller: object,
    ) -> None:
        self.clock = SteadyClock()
        self.robot = load_robot(ROBOT, arms)
        self.emulators: dict[str, DobotEmulator] = {}
        self.buses: dict[str, FeetechEmulator] = {}
        self.executed: list[Command] = []
        settings = {}
        for index, arm in enumerate(self.robot.arms):
            where = {"host": hosts[index], "ports": Ports()} if hosts else {}
            emulator = DobotEmulator(
                KinematicArm(arm.home, self.clock),
                arm,
                settings=ControllerSettings(**controller),
                **where,
            )
            bus = FeetechEmulator({21: GripperServo(KinematicGripper(self.clock))})
            emulator.start()
            bus.start()
            self.emulators[arm.name], self.buses[arm.name] = emulator, bus
            ports = emulator.ports
            settings[arm.name] = ArmSettings(
                address=Address(
                    host=emulator.host,
                    dashboard_port=ports.dashboard,
                    motion_port=ports.motion,
                    feedback_port=ports.feedback,
                    timeout=1.0,
                    protocol=chosen,
                ),
                gripper=GripperSettings(port=bus.port, number=21, timeout=0.2),
                feedback_timeout=0.4,
            )
        self.settings = DriverSettings(arms=settings, lock_folder=str(tmp_path))
        self.driver = XTrainerDriver(
            self.robot, self.settings, self.clock, on_executed=self.executed.append
        )
        self.arbiter: Arbiter | None = None

    @property
    def emulator(self) -> DobotEmulator:
        """The first arm's."""
        return next(iter(self.emulators.values()))

    def state(self, arm: str = "left") -> ArmState:
        return self.driver.status().arms[arm].state

    def reason(self, arm: str = "left") -> str:
        return self.driver.status().arms[arm].reason

    def start(self) -> Arbiter:
        """Start the driver, wait until all arms are ready, and begin to command HOLD."""
        self.driver.start()
        for arm in self.emulators:
            wait_for(lambda arm=arm: self.state(arm) is ArmState.READY, f"{arm} ready")
        wait_for(lambda: self.driver.reading() is not None, "feedback")
        self.arbiter = Arbiter(self.driver, self.clock, self.robot.home)
        wait_for(lambda: self.driver.status().moving, "streaming")
        return self.arbiter

    def servo_count(self, arm: str = "left") -> int:
        return self.emulators[arm].call(lambda c: c.commands["servoj"])

    def joints(self, arm: str = "left") -> np.ndarray:
        return self.emulators[arm].call(lambda c: c.plant.read().position)

    def with_settings(self, **changes: object) -> XTrainerDriver:
        """Make a second driver with other settings."""
        return XTrainerDriver(self.robot, replace(self.settings, **changes), self.clock)

    def close(self) -> None:
        if self.arbiter:
            self.arbiter.close()
        self.driver.close()
        for device in (*self.emulators.values(), *self.buses.values()):
            device.stop()


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(*arms: str, **controller: object) -> Rig:
        rigs.append(Rig(tmp_path, list(arms or ["left"]), **controller))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def make_arbiter() -> Iterator[Callable[[XTrainerDriver, SteadyClock, np.ndarray], Arbiter]]:
    made: list[Arbiter] = []

    def make(driver: XTrainerDriver, clock: SteadyClock, start: np.ndarray) -> Arbiter:
        made.append(Arbiter(driver, clock, start))
        return made[-1]

    yield make
    for arbiter in made:
        arbiter.close()


@pytest.fixture
def robot_file() -> str:
    return str(ROBOT)


@pytest.fixture
def waiter() -> Callable[[Callable[[], bool], str], None]:
    return wait_for
