# SPDX-License-Identifier: Apache-2.0
"""recorder_node over real topics, with a stand-in for arbiter, driver and camera."""

import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy")

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from stand_in import ROBOT, TASK, StandIn

from hiors_core.authority import Authority, Request
from hiors_core.episode import load_episode
from hiors_core.errors import StateError, UnknownName
from hiors_core.store import EpisodeStore
from hiors_interfaces.action import RunEpisode
from hiors_interfaces.msg import EpisodeLabel, EpisodeStatus
from hiors_recorder.recorder_node import RecorderNode
from hiors_ros import qos

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def overrides(store, **extra):
    values = {
        "store": str(store),
        "robot_file": str(ROBOT),
        "task_file": str(TASK),
        "arms": ["left"],
        "cameras": ["top"],
        "control_timeout": 0.5,
        **extra,
    }
    return [Parameter(name, value=value) for name, value in values.items()]


class Bench:
    """Recorder, stand-in and a client, spun together."""

    def __init__(self, store, recorder=True, **extra) -> None:
        self.world = StandIn()
        self.recorder = (
            RecorderNode(parameter_overrides=overrides(store, **extra)) if recorder else None
        )
        self.client = ActionClient(self.world, RunEpisode, "episode/run")
        self.labels = self.world.create_publisher(
            EpisodeLabel, "episode/label", qos.profile("episode/label")
        )
        self.statuses: list[EpisodeStatus] = []
        self.feedback: list[RunEpisode.Feedback] = []
        self.world.create_subscription(
            EpisodeStatus, "episode/status", self.statuses.append, qos.profile("episode/status")
        )
        self.executor = SingleThreadedExecutor()
        for node in filter(None, (self.world, self.recorder)):
            self.executor.add_node(node)

    def until(self, true, seconds=20.0):
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not happen in time"
            self.executor.spin_once(timeout_sec=0.05)

    def send(self, **goal):
        self.until(self.client.server_is_ready)
        return self.client.send_goal_async(
            RunEpisode.Goal(**goal), feedback_callback=lambda m: self.feedback.append(m.feedback)
        )

    def start(self, **goal):
        sent = self.send(**goal)
        self.until(sent.done)
        return sent.result()

    def result(self, handle):
        found = handle.get_result_async()
        self.until(found.done)
        return found.result().status, found.result().result

    def recording(self):
        self.until(lambda: any(s.state == EpisodeStatus.RECORDING for s in self.statuses))
        return next(s.episode_id for s in self.statuses if s.state == EpisodeStatus.RECORDING)

    def transitions(self, count):
        self.until(lambda: self.feedback and self.feedback[-1].transitions >= count)

    def label(self, episode_id, outcome):
        self.labels.publish(EpisodeLabel(episode_id=episode_id, outcome=outcome))

    def close(self) -> None:
        if self.recorder is not None:
            self.recorder.close()
        self.executor.shutdown()
        for node in filter(None, (self.world, self.recorder)):
            node.destroy_node()


@pytest.fixture
def bench(ros, tmp_path):
    made: list[Bench] = []

    def make(**extra):
        made.append(Bench(tmp_path / "store", **extra))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_an_episode_runs_from_the_goal_to_the_sealed_folder(bench, tmp_path):
    b = bench(reset_scene=True)
    handle = b.start(task="insert_moisturizer", seed=7, time_limit=30.0)
    episode_id = b.recording()
    b.transitions(3)
    b.label("some-other-episode", EpisodeLabel.SUCCESS)
    b.label(episode_id, EpisodeLabel.NONE)
    b.label(episode_id, EpisodeLabel.SUCCESS)
    status, result = b.result(handle)
    assert (status, result.message, result.episode_id) == (
        GoalStatus.STATUS_SUCCEEDED,
        "labelled",
        episode_id,
    )
    b.until(lambda: b.statuses[-1].state == EpisodeStatus.SEALED)
    b.until(lambda: b.world.requests[-1] == Request.HOLD)
    assert b.world.seeds == [7]
    assert b.world.requests == [Request.HOME, Request.POLICY, Request.HOLD]
    store = EpisodeStore(tmp_path / "store")
    manifest = store.verify(episode_id)
    assert (manifest.meta.seed, manifest.aborted) == (7, False)
    assert manifest.stream("/control/executed").missing == 0
    episode = load_episode(store.path(episode_id))
    assert len(episode.marks) >= 3
    assert episode.observation(1, images=True).images["top"].shape == (48, 64, 3)
    assert b.statuses[-1].path == str(store.path(episode_id))


def test_a_way_home_that_a_stream_cut_short_is_gone_again(bench):
    b = bench()
    b.world.ways_home = [("recorder", "feedback: 0.23 s old, may be 0.2 s at most")] * 2
    status, _ = b.result(b.start(time_limit=0.5))
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert b.world.requests[:4] == [Request.HOME, Request.HOME, Request.HOME, Request.POLICY]


def test_no_episode_begins_where_a_person_stopped_the_way_home(bench):
    b = bench()
    b.world.ways_home = [("console", "there is something in the way")]
    status, result = b.result(b.start(time_limit=0.5))
    assert (status, result.episode_id) == (GoalStatus.STATUS_ABORTED, "")
    assert result.message == "the robot is not home: there is something in the way"
    assert Request.POLICY not in b.world.requests


def test_a_time_limit_ends_an_episode_that_stays_unlabelled(bench, tmp_path):
    b = bench()
    status, result = b.result(b.start(time_limit=0.5, episode_id="mine"))
    assert (status, result.message) == (GoalStatus.STATUS_SUCCEEDED, "time limit")
    assert (result.episode_id, result.outcome) == ("mine", EpisodeLabel.NONE)
    assert result.duration == pytest.approx(0.5, abs=0.3)


@pytest.mark.parametrize("how", ["cancel", "stop", "silence", "alarm"])
def test_what_ends_an_episode_early_seals_it_as_aborted(bench, tmp_path, how):
    b = bench()
    handle = b.start(time_limit=60.0)
    episode_id = b.recording()
    b.transitions(1)
    if how == "cancel":
        handle.cancel_goal_async()
    b.world.authority = Authority.STOPPED if how == "stop" else b.world.authority
    b.world.silent = how == "silence"
    b.world.alarm = "left arm in fault: collision detected" if how == "alarm" else ""
    status, result = b.result(handle)
    expected = GoalStatus.STATUS_CANCELED if how == "cancel" else GoalStatus.STATUS_ABORTED
    assert status == expected
    words = {
        "cancel": "cancelled",
        "stop": "stopped",
        "silence": "no executed action",
        "alarm": "s: left arm in fault: collision detected",
    }
    assert words[how] in result.message
    assert EpisodeStore(tmp_path / "store").manifest(episode_id).aborted
    b.until(lambda: b.statuses[-1].state == EpisodeStatus.ABORTED)


@pytest.mark.parametrize(
    ("goal", "word"),
    [
        ({"task": "insert_moisturiser"}, "Did you mean 'insert_moisturizer'"),
        ({"episode_id": "../x"}, "not allowed"),
        ({"time_limit": -1.0}, "time_limit"),
    ],
)
def test_a_senseless_goal_is_aborted_with_the_reason(bench, tmp_path, goal, word):
    b = bench()
    status, result = b.result(b.start(**goal))
    assert status == GoalStatus.STATUS_ABORTED
    assert word in result.message
    assert b.world.requests == []


def test_a_refused_policy_ends_the_episode_with_the_arbiters_words(bench, tmp_path):
    b = bench()
    b.world.refuse = {Request.POLICY}
    status, result = b.result(b.start())
    assert status == GoalStatus.STATUS_ABORTED
    assert "refused POLICY: not now" in result.message


def test_a_momentary_refusal_of_the_policy_is_asked_again(bench, tmp_path):
    b = bench()
    b.world.refuse, b.world.refuse_once = {Request.POLICY}, {Request.POLICY}
    status, result = b.result(b.start(time_limit=0.5))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.message
    assert b.world.requests.count(Request.POLICY) == 2


def test_a_second_goal_waits_for_nobody(bench, tmp_path):
    b = bench()
    first = b.start(time_limit=60.0)
    b.recording()
    status, result = b.result(b.start())
    assert (status, result.message) == (
        GoalStatus.STATUS_ABORTED,
        "another episode is running",
    )
    first.cancel_goal_async()
    assert b.result(first)[0] == GoalStatus.STATUS_CANCELED


def test_a_full_disk_fails_the_episode_and_holds_the_robot(bench, tmp_path, monkeypatch):
    b = bench()
    handle = b.start(time_limit=60.0)
    b.recording()
    b.transitions(1)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    recording = b.recorder._streams._recording
    monkeypatch.setattr(recording.writer._bag._mcap, "add_message", refuse)
    status, result = b.result(handle)
    assert status == GoalStatus.STATUS_ABORTED
    assert "bytes free" in result.message
    b.until(lambda: b.world.requests[-1] == Request.HOLD)
    store = EpisodeStore(tmp_path / "store")
    assert store.ids() == []
    assert [p.name for p in store.quarantined.iterdir()] == [result.episode_id]


def test_a_second_recorder_on_the_store_is_refused(bench, tmp_path):
    bench()
    with pytest.raises(StateError, match="being recorded into"):
        bench()


def test_a_misspelt_parameter_is_refused(bench):
    with pytest.raises(UnknownName, match="Did you mean 'f_high'"):
        bench(f_hihg=10.0)


def test_sigint_in_mid_episode_seals_it_as_aborted_and_exits_with_zero(ros, tmp_path):
    store = tmp_path / "store"
    arguments = []
    for parameter in overrides(store, reset_scene=False):
        value = parameter.value
        text = f"[{','.join(value)}]" if isinstance(value, list) else str(value)
        arguments += ["-p", f"{parameter.name}:={text}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hiors_recorder.recorder_node", "--ros-args", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    b = Bench(store, recorder=False)
    try:
        # The answer may be lost: a server of another process may not know its client's ear yet.
        b.send(time_limit=60.0)
        episode_id = b.recording()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=5.0)
    finally:
        process.kill()
        print(process.stdout.read() if not process.stdout.closed else "")
        b.close()
    assert process.returncode == 0, out
    assert EpisodeStore(store).manifest(episode_id).end_reason == "the recorder was shut down"
