# SPDX-License-Identifier: Apache-2.0
"""The demo's seat in the running graph: starts episodes, and listens to what becomes of them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from std_srvs.srv import Trigger

from hiors.demo.records import CommandLog, EpisodeRow
from hiors_core.errors import HiorsError
from hiors_interfaces.action import RunEpisode
from hiors_interfaces.msg import (
    CheckpointInfo,
    ControlCommand,
    ControlState,
    EpisodeStatus,
    ExecutedAction,
    LearnerStatus,
)
from hiors_ros import qos
from hiors_ros.conversions import to_ns

_CALM = 3.0
"""How long the robot must stay ready after a fault before the next episode [s]."""
_ENABLE_TRIES = 20
OUTCOMES = {0: "none", 1: "success", 2: "failure", 3: "discard", 4: "return"}


@dataclass(slots=True)
class Heard:
    """Newest of what the graph says. Written by the listening thread, read by the demo."""

    control: ControlState | None = None
    learner: LearnerStatus | None = None
    executed: bool = False
    checkpoint: str = ""
    swaps: list[int] = field(default_factory=list)
    statuses: dict[str, EpisodeStatus] = field(default_factory=dict)
    learned: set[str] = field(default_factory=set)


class Session:
    """A client of the graph, for as long as the ``with`` block lasts."""

    def __init__(self) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node("demo")
        self.heard = Heard()
        self.commands = CommandLog()
        self._client = ActionClient(self.node, RunEpisode, "episode/run")
        self._enable = self.node.create_client(Trigger, "driver/enable")
        deep = QoSProfile(depth=300)
        listen: list[tuple[Any, str, Callable[[Any], None], QoSProfile]] = [
            (ControlCommand, "control/command", self._on_command, deep),
            (ExecutedAction, "control/executed", self._on_executed, deep),
            (ControlState, "control/state", self._on_control, qos.profile("control/state")),
            (LearnerStatus, "learner/status", self._on_learner, qos.profile("learner/status")),
            (CheckpointInfo, "policy/checkpoint", self._on_swap, qos.profile("policy/checkpoint")),
            (EpisodeStatus, "episode/status", self._on_status, qos.profile("episode/status")),
        ]
        for kind, topic, callback, profile in listen:
            self.node.create_subscription(kind, topic, callback, profile)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="demo-spin", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._executor.wake()
        self._thread.join(timeout=5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        rclpy.try_shutdown()

    def _spin(self) -> None:
        # Not executor.spin(): ended by a shutdown of the context, it sometimes raises RCLError.
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.2)

    def _on_command(self, message: ControlCommand) -> None:
        self.commands.add(to_ns(message.header.stamp), message.tick)

    def _on_executed(self, _: ExecutedAction) -> None:
        self.heard.executed = True

    def _on_control(self, message: ControlState) -> None:
        self.heard.control = message

    def _on_learner(self, message: LearnerStatus) -> None:
        self.heard.learner = message

    def _on_swap(self, message: CheckpointInfo) -> None:
        if self.heard.checkpoint and message.version != self.heard.checkpoint:
            self.heard.swaps.append(int(self.node.get_clock().now().nanoseconds))
        self.heard.checkpoint = message.version

    def _on_status(self, message: EpisodeStatus) -> None:
        if message.state == EpisodeStatus.LEARNED:
            self.heard.learned.add(message.episode_id)
            return
        before = self.heard.statuses.get(message.episode_id)
        if before is None or message.state >= before.state:
            self.heard.statuses[message.episode_id] = message

    def wait(
        self,
        condition: Callable[[], bool],
        seconds: float,
        what: str | Callable[[], str],
        beat: Callable[[], None],
    ) -> None:
        """Wait until the condition holds, calling ``beat`` meanwhile, or raise HiorsError with
        ``what`` was waited for.
        """
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                lacking = what if isinstance(what, str) else what()
                raise HiorsError(f"Waited {seconds:.0f} s in vain for {lacking}.")
            beat()
            time.sleep(0.1)

    def ready(
        self, beat: Callable[[], None], seconds: float = 90.0, *, policy: bool = True
    ) -> None:
        """Wait until the graph can run an episode, one without a policy if need be."""
        self.wait(self._client.server_is_ready, seconds, "the recorder's action episode/run", beat)
        if policy:
            self.wait(lambda: self.heard.checkpoint != "", seconds, "an active policy", beat)
        self.wait(
            lambda: self.robot_ready,
            seconds,
            lambda: f"a robot that is ready; control/state: {self._lacking()}",
            beat,
        )
        what = "executed actions (control/executed): the driver's log says why it sends none"
        self.wait(lambda: self.heard.executed, seconds, what, beat)

    @property
    def robot_ready(self) -> bool:
        """Whether the arbiter says that all required streams are fresh and no arm is in fault."""
        return self.heard.control is not None and self.heard.control.ready

    def recover(self, beat: Callable[[], None], say: Callable[[str], None]) -> int:
        """Do what a person does after a fault, as it latches: enable the robot, and see that it
        stays so; a machine that stalled once often stalls again. Return how often it was enabled.
        """
        enabled = 0
        for _ in range(_ENABLE_TRIES):
            answer = self.enable(beat)
            what = "is enabled again" if answer.success else "was not enabled"
            say(f"the robot {what}: {answer.message}")
            enabled += answer.success
            if self.stays_ready(_CALM, beat):
                break
        return enabled

    def stays_ready(self, seconds: float, beat: Callable[[], None]) -> bool:
        """Tell whether the robot, given as long to become ready, then is so for ``seconds``."""
        end = time.monotonic() + seconds
        since: float | None = None
        while since is None or time.monotonic() - since < seconds:
            beat()
            time.sleep(0.1)
            if self.robot_ready:
                since = since or time.monotonic()
            elif since is not None or time.monotonic() > end:
                return False
        return True

    def _lacking(self) -> str:
        control = self.heard.control
        return "; ".join(control.problems) if control is not None else "is silent"

    def learner_up(self) -> bool:
        """Tell whether the learner has taken in the demonstrations and waits for episodes."""
        alive = (LearnerStatus.WAITING, LearnerStatus.TRAINING, LearnerStatus.PACED)
        return self.heard.learner is not None and self.heard.learner.state in alive

    def run_episode(self, row: EpisodeRow, task: str, beat: Callable[[], None]) -> None:
        """Run one episode to its end and fill the row; one that could not begin has no id."""
        goal = RunEpisode.Goal(task=task, seed=row.seed)
        handle = self._answer(
            lambda: self._client.send_goal_async(goal),
            30.0,
            "the recorder to take the episode",
            beat,
        )
        if handle is None or not handle.accepted:
            raise HiorsError("The recorder refused to run an episode; its log says why.")
        result = self._answer(handle.get_result_async, 180.0, "the episode to end", beat).result
        row.ending = result.message
        if not result.episode_id:
            return
        row.episode_id = result.episode_id
        row.duration = result.duration
        row.outcome = OUTCOMES[result.outcome]
        self.update(row)

    def enable(self, beat: Callable[[], None]) -> Trigger.Response:
        """Enable the robot again, as a person does after a fault; return the driver's answer."""
        client = self._enable
        self.wait(client.service_is_ready, 10.0, "the driver's service driver/enable", beat)
        return self._answer(
            lambda: client.call_async(Trigger.Request()), 30.0, "the robot to be enabled", beat
        )

    def _answer(
        self, ask: Callable[[], Future], seconds: float, what: str, beat: Callable[[], None]
    ) -> Any:
        # Asked on the spinning thread: rclpy's action client notes what it waits for after it has
        # sent the request, so an answer that another thread reads in between is lost.
        asked = self._executor.create_task(ask)
        self.wait(lambda: asked.done() and asked.result().done(), seconds, what, beat)
        return asked.result().result()

    def update(self, row: EpisodeRow) -> None:
        """Take over what has become known of the row's episode."""
        status = self.heard.statuses.get(row.episode_id)
        if status is None:
            return
        row.interventions = status.interventions or row.interventions
        row.human_fraction = status.human_fraction or row.human_fraction
        row.policy_versions = tuple(status.policy_versions) or row.policy_versions
        if status.outcome:
            row.outcome = OUTCOMES[status.outcome]
        decisions = {EpisodeStatus.ACCEPTED: "accepted", EpisodeStatus.REJECTED: "rejected"}
        row.decision = decisions.get(status.state, row.decision)
        if row.decision == "rejected":
            row.reasons = tuple(status.reasons)
        row.learned = row.episode_id in self.heard.learned
