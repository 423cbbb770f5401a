# SPDX-License-Identifier: Apache-2.0
"""The record button: begins an episode when none runs, else ends it by labelling it."""

from rclpy.action import ActionClient
from rclpy.task import Future

from hiors_core.clock import SteadyClock
from hiors_interfaces.action import RunEpisode
from hiors_interfaces.msg import EpisodeStatus
from hiors_interfaces.srv import LabelEpisode
from hiors_ros.node import HiorsNode
from hiors_ros.person import Notice, Requests
from hiors_xtrainer.leader_buttons import Gesture

_LABELS = {
    Gesture.RECORD: (LabelEpisode.Request.SUCCESS, "Success"),
    Gesture.FAIL: (LabelEpisode.Request.FAILURE, "Failure"),
}


class EpisodeButton:
    """Follows episode/status and turns presses into goals and labels; for the node's thread."""

    def __init__(self, node: HiorsNode, requests: Requests, notice: Notice, task: str) -> None:
        self._requests, self._notice, self._task = requests, notice, task
        self._steady = SteadyClock()
        self._runs = ActionClient(node, RunEpisode, "episode/run")
        self._recording = ""
        node.subscribe(EpisodeStatus, "episode/status", self._on_status)

    def press(self, gesture: Gesture, person: str) -> None:
        """Carry out a press of button B."""
        if self._recording:
            outcome, what = _LABELS[gesture]
            self._requests.label(outcome, person, what)
        elif gesture is Gesture.FAIL:
            self._notice("error", "No episode is being recorded: a short press of B begins one.")
        elif not self._runs.server_is_ready():
            self._notice("error", "Nobody serves episode/run: is the recorder running?")
        else:
            # Seeds of a simulated scene; a real one is laid out by a person.
            goal = RunEpisode.Goal(task=self._task, seed=self._steady.now() // 1_000_000 % 2**31)
            self._runs.send_goal_async(goal).add_done_callback(self._on_answer)

    def _on_status(self, message: EpisodeStatus) -> None:
        if message.state == EpisodeStatus.RECORDING:
            self._recording = message.episode_id
        elif message.episode_id == self._recording:
            self._recording = ""

    def _on_answer(self, future: Future) -> None:
        handle = future.result()
        if handle is None or not handle.accepted:
            self._notice("error", "The recorder did not take the episode.")
            return
        self._notice("info", "An episode begins.")
        handle.get_result_async().add_done_callback(self._on_result)

    def _on_result(self, future: Future) -> None:
        result = future.result()
        if result is not None:
            self._notice("info", f"Episode {result.result.episode_id}: {result.result.message}")
