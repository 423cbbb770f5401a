# SPDX-License-Identifier: Apache-2.0
"""What the tests of hiors_quest share: the marker of those that need a browser."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "browser: drives a headless Chromium (needs node, chromium)"
    )
