# SPDX-License-Identifier: Apache-2.0
"""The names that become file names: episode ids and checkpoint versions.

No path is built from an unchecked one.
"""

import re
import secrets
from datetime import UTC, datetime

from hiors_core.clock import NS
from hiors_core.errors import InvalidValue

_EPISODE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_VERSION = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHOWN = 80


def check_episode_id(episode_id: str) -> str:
    """Return the id when it is one, or raise InvalidValue."""
    if not isinstance(episode_id, str) or not _EPISODE_ID.fullmatch(episode_id):
        raise InvalidValue(
            f"Episode id {_shown(episode_id)} is not allowed: 1 to 64 letters, digits, '_' or '-',"
            " the first a letter or a digit, for example 20260131-154500-3fa9"
        )
    return episode_id


def check_version(version: str) -> str:
    """Return the checkpoint version when it is one, or raise InvalidValue."""
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise InvalidValue(
            f"Version {_shown(version)} is not allowed: 1 to 64 lower-case letters, digits, '.',"
            " '_' or '-', the first a letter or a digit, for example v000120"
        )
    return version


def new_episode_id(stamp: int) -> str:
    """Make an id from a stamp [ns] (UTC) and eight random hexadecimal digits: with a hundred
    robots, four would give two episodes one id every few hours.
    """
    when = datetime.fromtimestamp(stamp // NS, tz=UTC)
    return f"{when:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
