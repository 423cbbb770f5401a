# SPDX-License-Identifier: Apache-2.0
"""The model of ServoJ: it arrives, in time, smoothly, whatever the step."""

import numpy as np
import pytest

from hiors_core.errors import InvalidValue
from hiors_sim.servo import ServoFollower, ServoParameters

DT = 1.0 / 240.0


def test_it_arrives_and_stands_still() -> None:
    servo = ServoFollower(np.zeros(6))
    servo.set_target(np.full(6, 0.3), ServoParameters(duration=0.1))
    servo.advance(DT, 240)
    np.testing.assert_allclose(servo.position, 0.3, atol=1e-6)
    np.testing.assert_allclose(servo.velocity, 0.0, atol=1e-5)


def test_many_steps_at_once_equal_single_steps() -> None:
    together, single = ServoFollower(np.zeros(2)), ServoFollower(np.zeros(2))
    for k in range(7):
        target = np.array([0.1 * k, -0.2 * np.sin(k)])
        for servo in (together, single):
            servo.set_target(target, ServoParameters(duration=0.03, gain=700.0, lookahead=30.0))
        rows, _ = together.advance(DT, 8)
        for row in rows:
            single.advance(DT)
            np.testing.assert_allclose(row, single.position, atol=1e-12)


def test_a_stream_of_targets_is_followed_at_a_steady_lag() -> None:
    servo = ServoFollower(np.zeros(1))
    for k in range(60):
        servo.set_target(np.array([0.01 * k]), ServoParameters(duration=1 / 30))
        servo.advance(DT, 8)
    assert servo.velocity[0] == pytest.approx(0.3, rel=0.02)
    lag = (0.59 - servo.position[0]) / 0.3
    assert 0.02 < lag < 0.05


def test_defaults_do_not_overshoot_and_less_lookahead_does() -> None:
    peaks = {}
    for lookahead in (20.0, 50.0):
        servo = ServoFollower(np.zeros(1))
        parameters = ServoParameters(duration=0.02, lookahead=lookahead)
        servo.set_target(np.ones(1), parameters)
        peaks[lookahead] = servo.advance(DT, 240)[0].max()
    assert peaks[50.0] < 1.005
    assert peaks[20.0] > 1.05


@pytest.mark.parametrize("gain", [200.0, 1000.0])
@pytest.mark.parametrize("lookahead", [20.0, 100.0])
def test_every_allowed_parameter_is_stable(gain: float, lookahead: float) -> None:
    servo = ServoFollower(np.zeros(1))
    servo.set_target(np.ones(1), ServoParameters(duration=0.02, gain=gain, lookahead=lookahead))
    positions, _ = servo.advance(1 / 100, 300)
    assert positions.max() < 1.7
    assert positions[-1, 0] == pytest.approx(1.0, abs=1e-3)


def test_a_new_target_takes_over_without_a_jump() -> None:
    servo = ServoFollower(np.zeros(1))
    servo.set_target(np.ones(1), ServoParameters(duration=1.0))
    servo.advance(DT, 120)
    before = servo.position[0]
    servo.set_target(np.zeros(1), ServoParameters(duration=1.0))
    rows, velocities = servo.advance(DT, 240)
    assert abs(rows[0, 0] - before) < 0.01
    assert np.abs(np.diff(velocities[:, 0])).max() < 0.5
    assert rows[-1, 0] == pytest.approx(0.0, abs=0.05)


def test_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"duration must be within 0.02"):
        ServoParameters(duration=0.01)
    with pytest.raises(InvalidValue, match="gain must be within 200"):
        ServoParameters(gain=10.0)
    servo = ServoFollower(np.zeros(6))
    with pytest.raises(InvalidValue, match="6 finite angles"):
        servo.set_target(np.full(6, np.nan), ServoParameters())
    with pytest.raises(InvalidValue, match="6 finite angles"):
        servo.set_target(np.zeros(5), ServoParameters())
