# SPDX-License-Identifier: Apache-2.0
"""The robot, its arbiter and the scene in one process, in simulated time: the graph without ROS.

A tick does what a control tick of the graph does: feedback to the arbiter, its command through the
servo model to MuJoCo.
Knows neither policy nor operator.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hiors_core.arbiter import Arbiter, ArbiterSettings
from hiors_core.clock import FakeClock, to_ns, to_s
from hiors_core.command import Command
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_sim.scene_view import SceneView
from hiors_sim.servo import ServoParameters
from hiors_sim.sim_task import SimTask
from hiors_sim.simulation import RobotSim, SimState

Array = NDArray[np.float64]

START = 1_700_000_000_000_000_000
"""Stamp at which a fresh environment's clock stands [ns]."""
_BETWEEN = 1.0
PLAYBACK_DELAY = 0.04
"""From a command's stamp to its arrival at the robot [s], as the X-Trainer's driver plays it."""


class FastEnvironment:
    """One simulated robot with its arbiter; time passes only in ``advance``."""

    def __init__(
        self,
        robot: RobotModel,
        task: SimTask,
        seed: int = 0,
        *,
        settings: ArbiterSettings | None = None,
        image_size: tuple[int, int] = (160, 120),
    ) -> None:
        """Build the simulation; its clock goes on from episode to episode."""
        self.robot, self.task = robot, task
        self.sim = RobotSim(robot, task, seed=seed, image_size=image_size)
        self.clock = FakeClock(START)
        self._settings = settings or ArbiterSettings()
        self._period = 1.0 / robot.control_rate_hz
        self._servo = ServoParameters(duration=self._period)
        self.reset(seed)

    @property
    def period(self) -> float:
        """Time between ticks [s]."""
        return self._period

    @property
    def state(self) -> SimState:
        """The simulation's state at the present tick."""
        return self._state

    def reset(self, seed: int) -> None:
        """Begin an episode: arms at home, things at the start of ``seed``, a fresh arbiter in
        HOLD.
        """
        self.sim.reset(seed)
        self.clock.advance(_BETWEEN)
        self.arbiter = Arbiter(self.robot, self._settings)
        self._coming: deque[tuple[int, Command]] = deque()
        self._feel()

    def arrange(self, change: Callable[[RobotSim], None]) -> None:
        """Change the scene by hand at the present tick; what is measured follows at once."""
        change(self.sim)
        self._feel()

    def command(self) -> Command:
        """Let the arbiter decide the command of the present tick; it is executed as it is."""
        command = self.arbiter.tick(self.clock.now())
        self._coming.append((command.stamp + to_ns(PLAYBACK_DELAY), command))
        return command

    def advance(self) -> None:
        """Let time pass by one period, up to the feedback of the next tick."""
        end = self.clock.now() + to_ns(self._period)
        while self._coming and self._coming[0][0] < end:
            due, command = self._coming.popleft()
            self._pass(due)
            self._send(command)
        self._pass(end)
        self._feel()

    def _pass(self, stamp: int) -> None:
        if (left := to_s(stamp - self.clock.now())) > 0.0:
            self.sim.step(left)
            self.clock.sleep_until(stamp)

    def _send(self, command: Command) -> None:
        for arm in self.robot.arms:
            part = command.position[self.robot.columns(arm)]
            self.sim.servo_j(part[:-1], self._servo, arm.name)
            self.sim.set_gripper(float(part[-1]), arm.name)

    def observe(self, cameras: tuple[str, ...] = ()) -> Observation:
        """Return the snapshot of the present tick, with the pictures of ``cameras``.

        Its command is the one of this tick once ``command`` was called, as in a recording.
        """
        return Observation(
            stamp=self.clock.now(),
            position=self._position,
            command=self.arbiter.command,
            objects=self._state.objects,
            images={name: self.sim.render(name) for name in cameras},
        )

    def view(self) -> SceneView:
        """Return what a person sees at the present tick."""
        arm = self._state.arms[self.task.task.arm]
        return SceneView(
            stamp=self.clock.now(),
            tool=arm.tool,
            gripper=arm.gripper,
            objects=self._state.objects,
            authority=self.arbiter.authority,
        )

    @property
    def velocity(self) -> Array:
        """(N,) measured velocities [rad/s], grippers 0."""
        parts = [[*self._state.arms[a.name].velocity, 0.0] for a in self.robot.arms]
        return np.concatenate(parts)

    def close(self) -> None:
        """Free the renderer."""
        self.sim.close()

    def _feel(self) -> None:
        self._state = self.sim.state()
        parts = [
            [*self._state.arms[a.name].position, self._state.arms[a.name].gripper]
            for a in self.robot.arms
        ]
        self._position = np.concatenate(parts)
        self._position.setflags(write=False)
        self.arbiter.on_feedback(self._position, self.clock.now())
