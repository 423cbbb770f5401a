# SPDX-License-Identifier: Apache-2.0
"""Of two drivers for one arm, the one that was there first goes on."""

import pytest

pytest.importorskip("rclpy")

from hiors_core.errors import StateError
from hiors_interfaces.msg import DriverState
from hiors_ros.conversions import to_ns, to_stamp
from hiors_ros.driver_claim import DriverClaim

TOPIC = "/robot1/driver/state"


def own() -> tuple[DriverClaim, DriverState]:
    claim = DriverClaim(["left", "right"], TOPIC)
    return claim, claim.sign(DriverState())


def other(mine: DriverState, seconds: float, **fields: object) -> DriverState:
    """Another driver that began so much later."""
    since = to_stamp(to_ns(mine.since) + round(seconds * 1e9))
    return DriverState(**{"driver": "lab2:17", "since": since, "arms": ["right"], **fields})


def test_the_later_one_is_refused_with_the_others_name() -> None:
    claim, mine = own()
    with pytest.raises(StateError, match=r"right of /robot1/driver/state is .* by lab2:17 .*Stop"):
        claim.hear(other(mine, -1.0))


def test_the_earlier_one_goes_on_and_knows_the_other() -> None:
    claim, mine = own()
    assert claim.hear(other(mine, 1.0)) == "lab2:17"


def test_of_two_at_the_same_moment_exactly_one_goes_on() -> None:
    claim, mine = own()
    assert claim.hear(other(mine, 0.0, driver="~last:1")) == "~last:1"
    with pytest.raises(StateError):
        claim.hear(other(mine, 0.0, driver=" first:1"))


@pytest.mark.parametrize("fields", [{"arms": ["waist"]}, {"driver": ""}, {"arms": []}])
def test_other_arms_and_a_driver_that_ends_are_no_rivals(fields: dict[str, object]) -> None:
    claim, mine = own()
    assert claim.hear(other(mine, -1.0, **fields)) == ""


def test_its_own_voice_is_no_rival() -> None:
    claim, mine = own()
    assert claim.hear(mine) == ""
