# SPDX-License-Identifier: Apache-2.0
"""Why a node does not start, asked in the test's own process: a process for each wrong parameter
would take seconds. That the reason is then printed and the exit code is 2 is ``run_node``'s.
"""

from collections.abc import Callable

import pytest
import rclpy
from rclpy.signals import SignalHandlerOptions
from witness import overrides

from hiors_core.errors import HiorsError


def refusal(node: Callable[[], object], **parameters: object) -> str:
    """Return the error that the node raises with these parameters of its command line."""
    rclpy.init(args=overrides(parameters), signal_handler_options=SignalHandlerOptions.NO)
    try:
        with pytest.raises(HiorsError) as refused:
            node()
    finally:
        rclpy.try_shutdown()
    return f"{type(refused.value).__name__}: {refused.value}"
