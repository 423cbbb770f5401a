# SPDX-License-Identifier: Apache-2.0
"""What the whole-system tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the clone."""
    return Path(__file__).resolve().parent.parent
