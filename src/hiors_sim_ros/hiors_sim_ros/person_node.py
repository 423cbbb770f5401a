# SPDX-License-Identifier: Apache-2.0
"""A scripted person's eyes in the graph: sees what a person sees and asks a ScriptedOperator.

With which device the person acts is the subclass's business.
"""

import zlib
from abc import abstractmethod
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState

from hiors_core.authority import Authority
from hiors_core.clock import SteadyClock, to_s
from hiors_core.robot import RobotModel, load_robot
from hiors_interfaces.msg import ControlState, EpisodeStatus
from hiors_ros.conversions import JointReader, to_array
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode
from hiors_sim.operator import OperatorAction, OperatorSettings, ScriptedOperator
from hiors_sim.scene_view import SceneView
from hiors_sim.task import load_sim_task
from hiors_sim_ros.parameters import OperatorParameters


class PersonNode(HiorsNode):
    """Runs a ScriptedOperator while an episode is recorded."""

    def build(self, p: OperatorParameters) -> RobotModel:
        """Take the parameters and return the robot; call once all of them are declared."""
        robot = load_robot(p.robot_file, p.arms or None)
        task = load_sim_task(p.task_file)
        self._p, self._arm = p, robot.arm(task.task.arm)
        self._objects = task.task.objects
        self._steady = SteadyClock()
        self._operator = ScriptedOperator(task, self._arm, _settings(p), seed=p.seed)
        self._joints = JointReader(self._arm.names)
        self._seen: dict[str, tuple[int, Any]] = {}
        self._authority, self._changed = Authority.HOLD, 0
        self._episode = ""
        self._finished: set[str] = set()
        return robot

    def watch(self) -> None:
        """Begin to look."""
        self.subscribe(PoseStamped, f"ee_pose/{self._arm.name}", self._see("tool"))
        for name in self._objects:
            self.subscribe(PoseStamped, f"objects/{name}/pose", self._see(name))
        self.subscribe(JointState, "joint_states", self._on_joints)
        self.subscribe(ControlState, "control/state", self._on_control)
        self.subscribe(EpisodeStatus, "episode/status", self._on_episode)
        self.create_timer(1.0 / self._p.rate, self._step)

    @abstractmethod
    def act(self, action: OperatorAction, view: SceneView) -> None:
        """Do what the operator wants, having seen ``view``."""

    @abstractmethod
    def let_go(self) -> None:
        """The episode is over, perhaps under the person's hand."""

    @property
    def authority(self) -> Authority:
        """Who drives, as far as the person is aware of it."""
        return self._authority

    def begun(self) -> None:
        """An episode begins to be recorded."""

    def _see(self, name: str) -> Any:
        def take(message: PoseStamped) -> None:
            self._seen[name] = (self._steady.now(), to_array(message.pose))

        return take

    def _on_joints(self, message: JointState) -> None:
        self._joints.update(message)
        self._seen["joints"] = (self._steady.now(), None)

    def _on_control(self, message: ControlState) -> None:
        authority = Authority(message.authority)
        if authority is not self._authority:
            self._authority, self._changed = authority, self._steady.now()

    def _on_episode(self, message: EpisodeStatus) -> None:
        if message.state != EpisodeStatus.RECORDING:
            self._finished.add(message.episode_id)
            if message.episode_id == self._episode:
                self._episode = ""
                self.let_go()
            return
        if message.episode_id in self._finished or message.episode_id == self._episode:
            return
        self._episode = message.episode_id
        seed = zlib.crc32(message.episode_id.encode())
        self._operator.start(self._steady.now(), seed, demonstrate=self._p.demonstrate)
        self.begun()

    def _step(self) -> None:
        view, missing = self._view()
        if view is not None:
            self.act(self._operator.step(view) if self._episode else OperatorAction(), view)
        if self._episode and view is None:
            self.diagnostics.set("operator", Level.WARN, f"sees nothing fresh of {missing}")
            return
        text = f"watches episode {self._episode}" if self._episode else "waits for an episode"
        self.diagnostics.set("operator", Level.OK, text)

    def _view(self) -> tuple[SceneView | None, str]:
        now = self._steady.now()
        needed = ("tool", *self._objects, "joints")
        stale = [
            name
            for name in needed
            if name not in self._seen or to_s(now - self._seen[name][0]) > self._p.max_age
        ]
        if stale or not self._joints.complete:
            return None, ", ".join(stale) or "all joints"
        return (
            SceneView(
                stamp=now,
                tool=self._seen["tool"][1],
                gripper=float(np.clip(self._joints.position[-1], 0.0, 1.0)),
                objects={name: self._seen[name][1] for name in self._objects},
                authority=self.authority,
            ),
            "",
        )


def _settings(p: OperatorParameters) -> OperatorSettings:
    return OperatorSettings(
        skill=p.skill,
        attention=p.attention,
        reaction_time=(p.reaction_min, p.reaction_max),
        hand_back=p.hand_back,
        keep_on=p.keep_on,
        pause=p.pause,
        success_delay=p.success_delay,
        wrong_label=p.label_noise,
        glitch=p.glitch,
        name=p.name,
    )
