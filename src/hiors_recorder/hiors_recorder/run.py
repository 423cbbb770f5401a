# SPDX-License-Identifier: Apache-2.0
"""One run of episode/run, from the goal to the sealed episode. Knows no action server."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from hiors_core.authority import Authority, Request
from hiors_core.clock import Clock, to_ns
from hiors_core.errors import HiorsError, InvalidValue, StateError, UnknownName
from hiors_core.label import Label, Outcome
from hiors_core.manifest import EpisodeMeta, Manifest
from hiors_core.names import check_episode_id, new_episode_id
from hiors_core.recording import EpisodeRecording, start_recording
from hiors_core.store import EpisodeStore
from hiors_core.task import Task
from hiors_interfaces.msg import ControlState
from hiors_recorder.parameters import RecorderParameters

POLL = 0.05
PATIENCE = 2.0
"""How long a request that is refused is asked again [s]: a stream may falter for a moment."""
_NOTHING = Label()


class Control(Protocol):
    """What a run asks of the arbiter and the scene; see ControlLine."""

    @property
    def state(self) -> ControlState | None: ...
    def wait_ready(self, timeout: float) -> None: ...
    def request(self, request: Request, reason: str, patience: float) -> object: ...
    def request_hold(self, reason: str) -> None: ...
    def go_home(self, timeout: float) -> None: ...
    def reset_scene(self, seed: int, task: str, timeout: float) -> None: ...


class Feed(Protocol):
    """What a run asks of the streams; see Streams."""

    @property
    def failure(self) -> str: ...
    @property
    def last_executed(self) -> int: ...
    def start(self, recording: EpisodeRecording) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The goal; ``time_limit`` [s], 0 for that of the task."""

    task: str
    seed: int
    time_limit: float
    episode_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended; ``duration`` [s], ``manifest`` None when nothing was sealed."""

    episode_id: str = ""
    message: str = ""
    whole: bool = False
    label: Label = _NOTHING
    manifest: Manifest | None = None


class Labels:
    """The newest label of each episode, as label_node publishes them; wakes the run up."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._given: tuple[str, Outcome] = ("", Outcome.NONE)

    def give(self, episode_id: str, outcome: int) -> None:
        """Take a label in."""
        with self._changed:
            self._given = (episode_id, Outcome(outcome))
            self._changed.notify_all()

    def wait(self, episode_id: str, seconds: float) -> bool:
        """Tell whether the episode has a label, waiting ``seconds`` for one at most."""
        with self._changed:
            return self._changed.wait_for(lambda: self._has(episode_id), seconds)

    def _has(self, episode_id: str) -> bool:
        return self._given[0] == episode_id and self._given[1] != Outcome.NONE


class EpisodeRun:
    """Carries episodes out, one after the other.

    Args:
        base: what is known of every episode.
        stopping: says why everything must end at once, or nothing.
        began: told when an episode is being recorded. progress: told of the running one.
    """

    def __init__(
        self,
        store: EpisodeStore,
        control: Control,
        feed: Feed,
        labels: Labels,
        task: Task,
        base: EpisodeMeta,
        parameters: RecorderParameters,
        clock: Clock,
        *,
        stopping: Callable[[], str],
        began: Callable[[EpisodeRecording], None],
        progress: Callable[[EpisodeRecording], None],
    ) -> None:
        self._store = store
        self._control = control
        self._feed = feed
        self._labels = labels
        self._task = task
        self._base = base
        self._parameters = parameters
        self._clock = clock
        self._stopping = stopping
        self._began = began
        self._progress = progress

    def run(self, wish: Wish) -> Ended:
        """Carry one episode out; never raises a HiorsError: the message says what went wrong."""
        try:
            recording = self._begin(self._meta(wish))
        except HiorsError as error:
            return Ended(message=str(error))
        try:
            reason, whole = self._record(recording, wish.time_limit or self._task.time_limit)
        except HiorsError as error:
            reason, whole = str(error), False
        return self._end(recording, reason, whole=whole)

    def _meta(self, wish: Wish) -> EpisodeMeta:
        if wish.task not in ("", self._task.name):
            raise UnknownName("task", wish.task, [self._task.name], "It is set by task_file.")
        if not (math.isfinite(wish.time_limit) and wish.time_limit >= 0.0):
            raise InvalidValue(f"time_limit must be 0 or a time [s], got {wish.time_limit}")
        episode_id = wish.episode_id or new_episode_id(self._clock.now())
        return replace(self._base, episode_id=check_episode_id(episode_id), seed=wish.seed)

    def _begin(self, meta: EpisodeMeta) -> EpisodeRecording:
        p = self._parameters
        self._control.wait_ready(p.ready_timeout)
        if p.home:
            self._control.go_home(p.home_timeout)
        if p.reset_scene:
            self._control.reset_scene(meta.seed, meta.task, p.reset_timeout)
        if reason := self._stopping():
            raise StateError(reason)
        recording = start_recording(self._store, meta)
        self._feed.start(recording)
        return recording

    def _record(self, recording: EpisodeRecording, time_limit: float) -> tuple[str, bool]:
        """Record until something ends the episode; returns what, and whether it is whole."""
        self._began(recording)
        if self._parameters.start_policy:
            reason = f"episode {recording.episode_id}"
            self._control.request(Request.POLICY, reason, PATIENCE)
        end = self._clock.now() + to_ns(time_limit)
        while True:
            if self._labels.wait(recording.episode_id, POLL):
                return "labelled", True
            if trouble := self._trouble():
                return trouble, False
            if self._clock.now() >= end:
                return "time limit", True
            self._progress(recording)

    def _trouble(self) -> str:
        if reason := self._stopping() or self._feed.failure:
            return reason
        state = self._control.state
        if state is not None and state.authority == Authority.STOPPED:
            return f"stopped: {state.reason}"
        silence = self._clock.now() - self._feed.last_executed
        if silence > to_ns(self._parameters.control_timeout):
            why = "; ".join(state.problems) if state is not None else "control/state is silent"
            return f"no executed action for {silence / 1e9:.1f} s{why and f': {why}'}"
        return ""

    def _end(self, recording: EpisodeRecording, reason: str, *, whole: bool) -> Ended:
        self._feed.stop()
        self._control.request_hold(f"episode {recording.episode_id} ended: {reason}")
        failure = self._feed.failure
        try:
            manifest = recording.finish(reason) if whole and not failure else None
            manifest = manifest or recording.abort(failure or reason)
        except HiorsError as error:
            return Ended(episode_id=recording.episode_id, message=str(error))
        ended = Ended(episode_id=recording.episode_id, message=failure or reason)
        if manifest is None:
            return ended
        label = self._store.label(recording.episode_id)
        return replace(ended, whole=not manifest.aborted, manifest=manifest, label=label)
