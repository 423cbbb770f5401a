# SPDX-License-Identifier: Apache-2.0
"""The noise that inference starts from."""

import numpy as np
import pytest

from hiors_core.errors import InvalidValue
from hiors_policy.noise import Noise


def test_a_seed_decides_a_row_whatever_stands_beside_it() -> None:
    pair = Noise().draw(2, (3, 4), [5, 6])
    np.testing.assert_array_equal(Noise(1).draw(1, (3, 4), [6])[0], pair[1])
    assert pair.dtype == np.float32
    assert not np.array_equal(pair[0], pair[1])


def test_without_seeds_every_draw_is_new() -> None:
    noise = Noise(7)
    assert not np.array_equal(noise.draw(1, (8,)), noise.draw(1, (8,)))


def test_the_scale_draws_chunks_together() -> None:
    noise = Noise()
    whole = noise.draw(1, (8,), [3])
    noise.scale = 0.25
    np.testing.assert_allclose(noise.draw(1, (8,), [3]), 0.25 * whole)
    noise.scale = 0.0
    assert not noise.draw(4, (8,)).any()


def test_as_many_seeds_as_rows() -> None:
    with pytest.raises(InvalidValue, match="got 1 seeds for 2"):
        Noise().draw(2, (8,), [3])
