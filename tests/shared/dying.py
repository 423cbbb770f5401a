# SPDX-License-Identifier: Apache-2.0
"""Work in a process that dies on the way: a fork, since a new Python would take longer than the
work.
"""

import os
import traceback
from collections.abc import Callable

from hiors_core.durable import CRASH_STATUS, CRASH_VARIABLE


def die_at(point: str, work: Callable[[], object]) -> None:
    """Do the work in a child, which must end at this crash point of hiors_core.durable."""
    child = os.fork()
    if child == 0:
        os.environ[CRASH_VARIABLE] = point
        try:
            work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == CRASH_STATUS, f"{point} was never reached"
