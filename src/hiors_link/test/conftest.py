# SPDX-License-Identifier: Apache-2.0
"""Ends what a test of the link has left open: an open socket would block the interpreter's end."""

from collections.abc import Iterator

import pytest
from link_scene import OPEN


@pytest.fixture(autouse=True)
def _everything_is_closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()
