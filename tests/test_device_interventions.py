# SPDX-License-Identifier: Apache-2.0
"""A person's intervention by each device ends up in an accepted episode of the real graph.

Policy, simulated robot, arbiter, driver, device node, recorder, label and bridge run as `hiors up`
starts them; the person has the device and nothing else.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from device_people import Gamepad, Headset, Keyboard, Person, SpaceMouse
from graph_room import Room, drove

from hiors.places import config_file
from hiors_core.authority import Authority
from hiors_core.clock import to_s
from hiors_core.episode import Episode
from hiors_core.kinematics import ArmKinematics
from hiors_core.store import EpisodeStore

TASK = "insert_moisturizer"
P, H, HANDOVER = Authority.POLICY, Authority.HUMAN, Authority.HANDOVER


@dataclass(frozen=True, kw_only=True)
class Device:
    """How the graph is started for a device, who has it, and what its labels say they are from."""

    teleop: str
    person: Callable[[Room, Any], Person]
    source: str
    words: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)


DEVICES = {
    "gamepad": Device(
        teleop="joy",
        person=lambda _, node: Gamepad(node),
        source="gamepad",
        own={"joy_teleop": {"silence": 0.5}},
    ),
    "spacemouse": Device(
        teleop="joy",
        person=lambda _, node: SpaceMouse(node),
        source="screen",
        words={"joy": "spacemouse"},
        own={"joy_teleop": {"silence": 0.5}},
    ),
    "keyboard": Device(
        teleop="keyboard",
        person=lambda room, _: Keyboard(config_file("robots", "xtrainer"), room.folder / "keys"),
        source="keyboard",
    ),
    "quest": Device(
        teleop="quest",
        person=lambda room, _: Headset(room.said),
        source="quest",
        own={"quest": {"port": 0, "silence": 0.5}},
    ),
}


def check_marks(episode: Episode) -> None:
    """The person's ticks are logged at f_high, the policy's at f_low, nobody's not at all."""
    rates = {P: episode.manifest.meta.f_low, H: episode.manifest.meta.f_high}
    assert rates[H] > rates[P]
    assert {Authority(m.authority) for m in episode.marks} <= set(rates)
    assert all(m.rate_hz == rates[Authority(m.authority)] for m in episode.marks)
    ticks = zip(episode.authority.tolist(), episode.stamps.tolist(), strict=True)
    for who, run in groupby(ticks, key=lambda tick: tick[0]):
        if who not in rates:
            continue
        stamps = [stamp for _, stamp in run]
        marks = [m for m in episode.marks if stamps[0] <= m.stamp <= stamps[-1]]
        assert {m.authority for m in marks} == {who}
        assert marks[0].stamp == stamps[0], "a change of authority is logged at once"
        expected = 1 + to_s(stamps[-1] - stamps[0]) * rates[Authority(who)]
        # Lost ticks cost marks; nothing makes more of them.
        assert 0.7 * expected - 1 <= len(marks) <= expected + 1


def reach(room: Room, episode: Episode) -> float:
    """Return how far the tool was told to go while the person drove [m]."""
    tool = ArmKinematics(room.robot.arms[0]).matrices(episode.executed[:, :6])[:, :3, 3]
    return float(np.ptp(tool[episode.authority == H], axis=0).max())


def source(room: Room, name: str) -> str:
    """Return where the label came from."""
    with closing(EpisodeStore(room.folder / "run" / "store")) as store:
        label = store.label(name)
    assert label is not None
    return label.source


@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    "name",
    ["gamepad", *(pytest.param(d, marks=pytest.mark.slow) for d in list(DEVICES)[1:])],
)
def test_an_intervention_is_accepted_with_its_segments_and_marks(
    name: str, ros_domain: int, tmp_path: Path
) -> None:
    device = DEVICES[name]
    own = {node: dict(p) for node, p in device.own.items()}
    if "quest" in own:
        own["quest"]["state_dir"] = str(tmp_path / "tls")
    room = Room(tmp_path, TASK, own, teleop=device.teleop, **device.words)
    ((row, episode),) = room.play(lambda node: device.person(room, node))
    assert drove(episode) == [P, H, P]
    check_marks(episode)
    assert reach(room, episode) > 0.04
    assert row.interventions >= 1
    assert source(room, row.episode_id) == device.source


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_task_done_with_a_leader_arm_is_accepted(ros_domain: int, tmp_path: Path) -> None:
    own = {
        "leader_sim": {"attention": 1.0, "keep_on": 1.0, "skill": 1.0},
        "leader": {"patience": 1.0, "feedback_timeout": 2.0},
    }
    room = Room(tmp_path, TASK, own, teleop="leader")
    ((row, episode),) = room.play()
    # The robot comes to the leader before the person has it; one tick of HUMAN may go before.
    assert drove(episode)[0] is P
    assert drove(episode)[-2:] == [HANDOVER, H]
    check_marks(episode)
    assert reach(room, episode) > 0.1
    assert episode.executed[episode.authority == H, 6].min() < 0.2, "the gripper closed"
    assert source(room, row.episode_id) == "leader"
