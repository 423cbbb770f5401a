# SPDX-License-Identifier: Apache-2.0
"""Runs a simulated robot in real time and lends its arms and grippers to device emulators.

Owns the physics thread. Knows no ROS. Readers get the state that the thread left last, so that
nobody waits for physics and physics waits for nobody.
"""

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from hiors_core.clock import Clock, to_ns, to_s
from hiors_core.errors import StateError, UnknownName
from hiors_sim.plant import JointReading
from hiors_sim.servo import ServoParameters
from hiors_sim.simulation import RobotSim, SimState

Array = NDArray[np.float64]

PERIOD = 1.0 / 120.0
"""Simulated time of one turn of the thread [s]."""
_MAX_DEBT = 0.25
_WINDOW = 240
MOVING = 0.05
"""Joint speed above which the scene is not touched [rad/s]."""


class World:
    """The simulation with its clock."""

    def __init__(self, sim: RobotSim, clock: Clock) -> None:
        self.sim = sim
        self._clock = clock
        self._state = sim.state()
        self._running = False
        self._turns: deque[tuple[int, float]] = deque(maxlen=_WINDOW)
        self._lost = 0.0
        self._thread = threading.Thread(target=self._run, name="physics", daemon=True)

    def start(self) -> None:
        """Let simulated time run with the clock."""
        self._running = True
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._running = False
        if self._thread.is_alive():
            self._thread.join(5.0)

    @property
    def state(self) -> SimState:
        """The newest state."""
        return self._state

    @property
    def real_time_factor(self) -> float:
        """Simulated over real time, over the last two seconds."""
        turns = list(self._turns)
        if len(turns) < 2 or turns[-1][0] == turns[0][0]:
            return 1.0
        return (turns[-1][1] - turns[0][1]) / to_s(turns[-1][0] - turns[0][0])

    @property
    def lost_time(self) -> float:
        """Real time that was given up because the machine was too slow [s]."""
        return self._lost

    def reset(self, seed: int) -> None:
        """Put everything at the start that belongs to the seed; the arms stay where they are.

        Raises:
            StateError: an arm moves, or stands where things would appear.
        """
        state = self._state
        fastest = max(float(np.abs(arm.velocity).max()) for arm in state.arms.values())
        if fastest > MOVING:
            raise StateError(
                f"The arm moves at {fastest:.2f} rad/s; the scene is reset only while it stands."
                " Ask control/set_authority for HOME, then wait for HOLD."
            )
        self._check_start_zone(state)
        self.sim.reset(seed, arms=False)
        self._state = self.sim.state()

    def _check_start_zone(self, state: SimState) -> None:
        tool = state.arms[self.sim.task.task.arm].tool[:3]
        if self.sim.task.in_the_way(tool):
            raise StateError(
                f"The tool is at {np.round(tool, 3).tolist()}, where things are to appear."
                " Ask control/set_authority for HOME first."
            )

    def _run(self) -> None:
        due, period = self._clock.now(), to_ns(PERIOD)
        while self._running:
            self.sim.step(PERIOD)
            self._state = self.sim.state()
            due += period
            now = self._clock.now()
            self._turns.append((now, self._state.time))
            if to_s(now - due) > _MAX_DEBT:
                self._lost += to_s(now - due)
                due = now
            self._clock.sleep_until(due)


class WorldArm:
    """One arm of the world as a device emulator wants it."""

    def __init__(self, world: World, name: str) -> None:
        if name not in world.state.arms:
            raise UnknownName("arm", name, world.state.arms, "It is not simulated.")
        self._world = world
        self._name = name
        self._target: Array = world.state.arms[name].position

    def servo(self, target: Array, parameters: ServoParameters) -> None:
        """Take a ServoJ target (n,) [rad]."""
        self._target = np.array(target)
        self._world.sim.servo_j(target, parameters, self._name)

    def hold(self) -> None:
        """Stop where the arm is."""
        self._world.sim.stop(self._name)
        self._target = self._world.state.arms[self._name].position

    def read(self) -> JointReading:
        """Return the newest state."""
        arm = self._world.state.arms[self._name]
        return JointReading(
            position=arm.position,
            velocity=arm.velocity,
            target=self._target,
            target_velocity=arm.velocity,
        )


class WorldGripper:
    """One gripper of the world as a device emulator wants it."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def command(self, opening: float, speed: float) -> None:
        """Move to the opening (0 closed .. 1 open) at ``speed`` [strokes/s]."""
        self._world.sim.set_gripper(opening, self._name, speed=speed)

    def read(self) -> float:
        """Return the measured opening."""
        return self._world.state.arms[self._name].gripper
