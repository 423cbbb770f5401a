# SPDX-License-Identifier: Apache-2.0
"""recorder_node: serves episode/run, records into the store. Thin over EpisodeRun and Streams."""

import sys
import threading
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle

from hiors_core.cdr import prepare
from hiors_core.clock import SteadyClock
from hiors_core.manifest import EpisodeMeta
from hiors_core.recording import EpisodeRecording
from hiors_core.recovery import ABORTED, Recovered
from hiors_core.robot import load_robot
from hiors_core.store import EpisodeStore
from hiors_core.task import load_task
from hiors_core.topics import ALL_TYPES
from hiors_interfaces.action import RunEpisode
from hiors_interfaces.msg import EpisodeLabel, EpisodeStatus
from hiors_recorder.control import ControlLine
from hiors_recorder.parameters import RecorderParameters
from hiors_recorder.run import Ended, EpisodeRun, Labels, Wish
from hiors_recorder.streams import Streams, authority_of
from hiors_ros.diagnostics import Level
from hiors_ros.episodes import status_message
from hiors_ros.node import HiorsNode, run_node

_JOIN = 4.0


class RecorderNode(HiorsNode):
    """One episode at a time; its thread waits and blocks, the executor only feeds it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("recorder_node", **kwargs)
        p = self.declare_all(RecorderParameters)
        self.finish_parameters()
        robot, task = load_robot(p.robot_file, p.arms or None), load_task(p.task_file)
        self._steady = SteadyClock()
        self._closing = False
        self._goal: ServerGoalHandle | None = None
        self._thread: threading.Thread | None = None
        self._ended: dict[bytes, Ended] = {}
        self._store = EpisodeStore(p.store)
        self._store.claim()
        prepare(*ALL_TYPES)
        self._statuses = self.advertise(EpisodeStatus, "episode/status")
        self._labels = Labels()
        self.subscribe(EpisodeLabel, "episode/label", self._on_label)
        self._control = ControlLine(self, self._steady, self._stopping)
        self._streams = Streams(
            self,
            self._steady,
            arms=[arm.name for arm in robot.arms],
            objects=task.objects,
            cameras=(p.cameras or robot.cameras) if p.record_images else (),
            image_max_age=p.image_max_age,
        )
        base = EpisodeMeta(
            episode_id="",
            task=task.name,
            instruction=task.instruction,
            robot=robot.name,
            arms=tuple(arm.name for arm in robot.arms),
            names=robot.names,
            f_low=p.f_low or task.f_low,
            f_high=p.f_high or task.f_high,
        )
        self._run = EpisodeRun(
            self._store,
            self._control,
            self._streams,
            self._labels,
            task,
            base,
            p,
            self._steady,
            stopping=self._stopping,
            began=self._began,
            progress=self._progress,
        )
        self._next_feedback = 0
        self._server = ActionServer(
            self,
            RunEpisode,
            "episode/run",
            execute_callback=self._finish_goal,
            handle_accepted_callback=self._start_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        for found in self._store.recover():
            self._announce_recovered(found)
        self.diagnostics.set("recording", Level.OK, "idle")

    def close(self) -> None:
        """Seal a running episode as aborted and end the threads."""
        self._closing = True
        if self._thread is not None:
            self._thread.join(_JOIN)
        self._server.destroy()
        self._streams.close()
        self._store.close()

    def _start_goal(self, goal: ServerGoalHandle) -> None:
        if self._goal is not None:
            self._ended[bytes(goal.goal_id.uuid)] = Ended(message="another episode is running")
            goal.execute()
            return
        self._goal = goal
        wish = Wish(
            task=goal.request.task,
            seed=goal.request.seed,
            time_limit=goal.request.time_limit,
            episode_id=goal.request.episode_id,
        )
        self._thread = threading.Thread(target=self._carry_out, args=(goal, wish), name="episode")
        self._thread.start()

    def _carry_out(self, goal: ServerGoalHandle, wish: Wish) -> None:
        ended = Ended(message="internal error; the log says which")
        try:
            ended = self._run.run(wish)
            self._announce(ended)
        except Exception as error:  # noqa: BLE001 - the end of a thread: the reason is recorded
            self.get_logger().error(f"The episode failed: {error!r}")
            self._control.request_hold("the recorder failed")
        finally:
            self._goal = None
            self._ended[bytes(goal.goal_id.uuid)] = ended
            if not self._closing:
                goal.execute()

    def _finish_goal(self, goal: ServerGoalHandle) -> RunEpisode.Result:
        ended = self._ended.pop(bytes(goal.goal_id.uuid))
        if goal.is_cancel_requested:
            goal.canceled()
        elif ended.whole:
            goal.succeed()
        else:
            goal.abort()
        return RunEpisode.Result(
            episode_id=ended.episode_id,
            outcome=int(ended.label.outcome),
            duration=ended.manifest.duration if ended.manifest else 0.0,
            message=ended.message,
        )

    def _stopping(self) -> str:
        if self._closing:
            return "the recorder was shut down"
        goal = self._goal
        return "cancelled" if goal is not None and goal.is_cancel_requested else ""

    def _began(self, recording: EpisodeRecording) -> None:
        meta = recording.writer.meta
        self._statuses.publish(
            status_message(
                EpisodeStatus.RECORDING,
                meta.episode_id,
                self._steady.now(),
                task=meta.task,
                path=str(recording.writer.folder),
            )
        )
        self.get_logger().info(f"episode {meta.episode_id} begins")

    def _progress(self, recording: EpisodeRecording) -> None:
        now = self._steady.now()
        goal = self._goal
        if goal is None or now < self._next_feedback:
            return
        self._next_feedback = now + 200_000_000
        authority = authority_of(self._control.state)
        goal.publish_feedback(
            RunEpisode.Feedback(
                elapsed=recording.elapsed,
                authority=int(authority or 0),
                transitions=recording.transitions,
            )
        )
        self.diagnostics.set(
            "recording",
            Level.OK,
            f"episode {recording.episode_id}",
            elapsed=f"{recording.elapsed:.1f}",
            ticks=recording.ticks,
            transitions=recording.transitions,
            missing=recording.writer.tally.missing,
        )

    def _announce(self, ended: Ended) -> None:
        level = Level.OK if ended.whole else Level.WARN
        text = f"{ended.episode_id or 'no episode'}: {ended.message}"
        self.diagnostics.set("recording", level, f"idle; {text}")
        self.get_logger().info(text)
        if not ended.episode_id:
            return
        self._statuses.publish(
            status_message(
                EpisodeStatus.SEALED if ended.whole else EpisodeStatus.ABORTED,
                ended.episode_id,
                self._steady.now(),
                manifest=ended.manifest,
                label=ended.label,
                reasons=(ended.message,),
                path=str(self._store.episodes / ended.episode_id) if ended.manifest else "",
            )
        )

    def _announce_recovered(self, found: Recovered) -> None:
        self.get_logger().warning(f"episode {found.episode_id} {found.action}: {found.reason}")
        sealed = found.path.parent == self._store.episodes
        whole = sealed and found.action != ABORTED
        self._statuses.publish(
            status_message(
                EpisodeStatus.SEALED if whole else EpisodeStatus.ABORTED,
                found.episode_id,
                self._steady.now(),
                manifest=self._store.manifest(found.episode_id) if sealed else None,
                reasons=(found.reason,),
                path=str(found.path),
            )
        )

    def _on_label(self, message: EpisodeLabel) -> None:
        self._labels.give(message.episode_id, message.outcome)


def main() -> int:
    """Run recorder_node."""
    return run_node(RecorderNode)


if __name__ == "__main__":
    sys.exit(main())
