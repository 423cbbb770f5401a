# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from episode_samples import START, TICK, feed, meta, one_arm, record, sweep

from hiors_core.action_space import ActionMapper
from hiors_core.authority import Authority
from hiors_core.cdr import encode, make
from hiors_core.clock import to_ns
from hiors_core.episode import load_episode, transitions
from hiors_core.errors import IntegrityError, InvalidValue
from hiors_core.filters import keep_moving
from hiors_core.label import Outcome, judge
from hiors_core.recording import start_recording
from hiors_core.stamps import time_fields
from hiors_core.store import EpisodeStore
from hiors_core.summary import summarize

EXECUTED = "hiors_interfaces/msg/ExecutedAction"
JOINTS = "sensor_msgs/msg/JointState"


@pytest.fixture
def store(tmp_path):
    return EpisodeStore(tmp_path)


def loaded(store, **how):
    record(store, **how)
    return load_episode(store.path("e1"))


def handed_over(t):
    return Authority.HUMAN if 1.0 <= t < 2.0 else Authority.POLICY


def test_an_episode_comes_back_as_it_was_recorded(store):
    episode = loaded(store, seconds=3.0, authority=handed_over, meta={"f_low": 2.0})
    assert (episode.episode_id, episode.task, episode.instruction) == ("e1", "insert", "insert it")
    assert episode.policy_versions == ("v000000",)
    assert episode.stamps.shape == (91,)
    assert np.allclose(episode.executed[30], sweep(1.0))
    assert episode.authority[30] == Authority.HUMAN
    assert set(episode.objects) == {"box", "hole"}
    human = [m for m in episode.marks if m.authority == Authority.HUMAN]
    assert (len(human), human[0].rate_hz) == (10, 10.0)
    assert len(episode.marks) == 10 + 5


def test_an_observation_is_the_newest_of_every_stream(store):
    episode = loaded(store, seconds=2.0, meta={"f_low": 1.0})
    t = (episode.marks[1].stamp - START) / 1e9
    seen = episode.observation(1)
    assert np.allclose(seen.position, sweep(t) - 0.01, atol=1e-6)
    assert np.allclose(seen.command, sweep(t), atol=1e-6)
    assert seen.objects["box"][0] == pytest.approx(t, abs=1e-6)
    assert seen.images == {}


def test_images_belong_to_their_transition(store):
    image = np.full((8, 8, 3), (200, 30, 90), np.uint8)
    episode = loaded(store, seconds=2.0, image=image, meta={"f_low": 1.0})
    assert episode.images.cameras == ("top",)
    top = episode.observation(1, images=True).images["top"]
    assert top.dtype == np.uint8
    assert np.abs(top.astype(int) - image).max() < 6


def test_targets_are_read_by_time_between_the_ticks(store):
    episode = loaded(store, seconds=4.0, meta={"f_low": 1.0})
    found = transitions(episode, "joint", 5, 0.05, one_arm())
    for transition in found[:-1]:
        for k in range(5):
            expected = sweep(transition.time + (k + 1) * 0.05)
            assert np.allclose(transition.actions[k], expected, atol=1e-5)
        assert transition.mask.all()
    assert [t.index for t in found] == [0, 1, 2, 3]


def test_targets_never_cross_the_end_and_the_last_action_is_reached(store):
    episode = loaded(store, seconds=2.0, meta={"f_low": 1.0 / 0.9})
    last = transitions(episode, "joint", 10, 0.1, one_arm())[-1]
    left = 2.0 - last.time
    assert list(last.mask) == [k * 0.1 < left - 1e-6 for k in range(10)]
    assert 0 < last.mask.sum() < 10
    assert np.allclose(last.actions[last.mask][-1], sweep(2.0), atol=1e-6)
    assert np.allclose(last.actions[~last.mask], sweep(2.0), atol=1e-6)
    assert last.terminal


def test_a_mark_with_nothing_after_it_is_no_transition(store):
    episode = loaded(store, seconds=2.0, meta={"f_low": 0.5})
    assert len(episode.marks) == 2
    assert episode.marks[-1].stamp == episode.stamps[-1]
    assert len(transitions(episode, "joint", 3, 0.1, one_arm())) == 1


def test_end_effector_targets_are_those_of_the_interpolated_joints(store):
    robot = one_arm()
    episode = loaded(store, seconds=2.0)
    joint = transitions(episode, "joint", 4, 0.07, robot)[0]
    ee = transitions(episode, "ee", 4, 0.07, robot)[0]
    expected = ActionMapper(robot).convert(joint.actions.astype(np.float64), "ee")
    assert np.allclose(ee.actions, expected, atol=1e-4)


def test_a_robot_with_other_columns_is_refused(store):
    episode = loaded(store, meta={"names": tuple(f"x{i}" for i in range(7))})
    with pytest.raises(InvalidValue, match="x0"):
        transitions(episode, "joint", 4, 0.1, one_arm())


@pytest.mark.parametrize(("horizon", "dt"), [(0, 0.1), (4, 0.0), (4, float("nan"))])
def test_a_senseless_chunk_is_refused(store, horizon, dt):
    with pytest.raises(InvalidValue, match="horizon"):
        transitions(loaded(store), "joint", horizon, dt, one_arm())


def test_a_stuck_beginning_is_filtered_and_the_end_stays(store):
    def stuck(t):
        return sweep(max(0.0, t - 2.0) if t < 4.0 else 2.0)

    episode = loaded(store, seconds=6.0, position=stuck, meta={"f_low": 2.0})
    found = transitions(episode, "joint", 5, 0.1, one_arm())
    kept = keep_moving(found)
    times = [round(t.time, 2) for t in kept]
    assert times == [2.0, 2.5, 3.0, 3.5, 5.5]
    assert kept[-1].motion == 0.0


def test_an_episode_without_actions_has_no_transitions(store):
    store.begin(meta()).seal("nothing")
    episode = load_episode(store.path("e1"))
    assert transitions(episode, "joint", 4, 0.1, one_arm()) == []
    assert (episode.marks, episode.executed.shape) == ((), (0, 7))


def test_a_missing_joint_stream_is_replaced_by_the_command(store):
    recording = start_recording(store, meta(f_low=5.0))
    for tick in range(60):
        recording.executed(
            START + to_ns(tick * TICK),
            tick=tick,
            epoch=1,
            authority=Authority.POLICY,
            position=sweep(tick * TICK),
        )
    recording.finish("x")
    episode = load_episode(store.path("e1"))
    seen = episode.observation(2)
    assert np.array_equal(seen.position, seen.command)
    assert seen.objects == {}
    assert len(transitions(episode, "joint", 2, 0.1, one_arm())) > 5


def test_columns_come_in_any_order_and_superset(store):
    writer = store.begin(meta())
    names = one_arm().names
    turned = ["camera_pan", *reversed(names)]
    values = [9.0, *reversed(range(len(names)))]
    message = make(
        EXECUTED, header={"stamp": time_fields(START)}, names=turned, position=values, authority=1
    )
    writer.write("control/executed", EXECUTED, encode(EXECUTED, message), START)
    writer.seal("x")
    assert list(load_episode(store.path("e1")).executed[0]) == list(range(7))


@pytest.mark.parametrize(
    ("names", "values", "error"),
    [
        (one_arm().names, [0.0] * 6 + [np.nan], IntegrityError),
        (one_arm().names, [0.0] * 6, IntegrityError),
        (("left_joint1",), [0.0], InvalidValue),
    ],
)
def test_actions_that_are_not_numbers_for_every_column_are_refused(store, names, values, error):
    writer = store.begin(meta())
    message = make(EXECUTED, header={"stamp": time_fields(START)}, names=names, position=values)
    writer.write("control/executed", EXECUTED, encode(EXECUTED, message), START)
    writer.seal("x")
    with pytest.raises(error, match="e1"):
        load_episode(store.path("e1"))


def test_the_summary_is_what_acceptance_judges(store):
    record(store, seconds=4.0, position=lambda t: sweep(0.0), meta={"f_low": 2.0})
    label = judge(Outcome.SUCCESS)
    found = summarize(store.path("e1"), label, one_arm())
    assert (found.length, found.transitions, found.moving) == (pytest.approx(4.0), 9, 1)
    assert (found.aborted, found.missing) == (False, 0.0)
    assert found.max_gap == pytest.approx(TICK, abs=1e-6)


def test_lost_ticks_show_in_the_summary(store):
    recording = start_recording(store, meta())
    for tick in [*range(30), *range(45, 60)]:
        recording.executed(
            START + to_ns(tick * TICK),
            tick=tick,
            epoch=1,
            authority=Authority.POLICY,
            position=sweep(tick * TICK),
        )
    recording.finish("x")
    found = summarize(store.path("e1"), judge(Outcome.SUCCESS), one_arm())
    assert found.missing == pytest.approx(15 / 60)
    assert found.max_gap == pytest.approx(16 * TICK, abs=1e-6)


@pytest.mark.parametrize(("rate", "kept"), [(60, 120), (500, 200)])
def test_states_are_kept_up_to_a_hundred_hertz_and_actions_all(store, rate, kept):
    recording = start_recording(store, meta())
    for i in range(2 * rate):
        stamp = START + to_ns(i / rate)
        recording.joint_state(stamp, sweep(i / rate))
        recording.executed(
            stamp, tick=i, epoch=1, authority=Authority.POLICY, position=sweep(i / rate)
        )
    manifest = recording.finish("x")
    assert manifest.stream("/joint_states").count == pytest.approx(kept, abs=2)
    assert manifest.stream("/control/executed").count == 2 * rate


def test_raw_messages_are_taken_as_they_come(store):
    recording = start_recording(store, meta())
    message = make(JOINTS, header={"stamp": time_fields(START)}, name=list(one_arm().names))
    message.position = sweep(0.0)
    recording.state_cdr("joint_states", JOINTS, encode(JOINTS, message), START)
    action = make(
        EXECUTED,
        header={"stamp": time_fields(START)},
        names=one_arm().names,
        position=sweep(0.0),
        authority=3,
    )
    logged = recording.executed_cdr(encode(EXECUTED, action))
    assert (logged.index, logged.stamp, logged.authority) == (0, START, Authority.HUMAN)
    recording.control_state(START, Authority.HUMAN, 2, operator="li")
    manifest = recording.finish("x")
    assert manifest.human_fraction == 1.0
    assert manifest.interventions == 1


def test_feeding_tells_how_far_the_episode_is(store):
    recording = start_recording(store, meta(f_low=1.0))
    feed(recording, 2.0)
    assert recording.elapsed == pytest.approx(2.0)
    assert (recording.ticks, recording.transitions) == (61, 3)
    recording.abort("stopped")
    assert store.manifest("e1").aborted
