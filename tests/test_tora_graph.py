# SPDX-License-Identifier: Apache-2.0
"""The whole graph on the simulated Tora One: policy and person drive, a new checkpoint takes over
while the robot works.
"""

from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from graph_room import Room, calm_policy, drove

from hiors_core.authority import Authority
from hiors_policy.checkpoint import write_latest


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_raising_the_hand_with_help_is_accepted_and_a_checkpoint_swaps(
    ros_domain: int, tmp_path: Path
) -> None:
    person = {"attention": 1.0, "keep_on": 1.0, "hand_back": 0.0}
    room = Room(tmp_path, "raise_hand", {"operator": person}, teleop="scripted", seed=3)

    def publish() -> None:
        checkpoints = tmp_path / "run" / "checkpoints"
        folder = checkpoints / "v000001"
        manifest = calm_policy(room.robot, room.task.objects, folder, step=1)
        write_latest(checkpoints, folder, manifest)
        room.wait(lambda: bool(room.session.heard.swaps), "the new checkpoint to be loaded")

    (before, first), (after, second) = room.play(between=publish, wanted=2)
    for row, episode in ((before, first), (after, second)):
        assert drove(episode) == [Authority.POLICY, Authority.HUMAN]
        assert episode.executed.shape[1] == len(room.robot.names) == 8
        assert row.interventions >= 1
    assert first.policy_versions == ("v000000",)
    assert second.policy_versions == ("v000001",)
