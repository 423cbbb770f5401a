# SPDX-License-Identifier: Apache-2.0
"""Fixtures of every test: a ROS domain of one's own, and rclpy started and ended."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from stalls import Stalls

PROFILE = Path(__file__).parent / "config" / "dds" / "loopback.xml"


def pytest_configure(config: pytest.Config) -> None:
    """Try again what fails while the machine stands still."""
    if config.pluginmanager.hasplugin("rerunfailures"):
        config.pluginmanager.register(Stalls(), "stalls")


@pytest.fixture(scope="session", autouse=True)
def ros_domain() -> Iterator[int]:
    """Keep this run's nodes apart from all others on the machine: a random domain, loopback only.

    Also inherited by the processes that a test starts.
    """
    domain = random.SystemRandom().randint(1, 200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", os.environ.get("HIORS_TEST_DOMAIN", str(domain)))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SYSTEM_DEFAULT")
        patch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", str(PROFILE))
        yield domain


@pytest.fixture
def ros(ros_domain: int) -> Iterator[None]:
    """Start rclpy for one test and end it afterwards; signals stay pytest's."""
    rclpy = pytest.importorskip("rclpy")
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    yield
    rclpy.try_shutdown()
