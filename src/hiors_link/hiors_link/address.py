# SPDX-License-Identifier: Apache-2.0
"""Which addresses may be used without keys: those of this machine only."""

import ipaddress
import re

from hiors_core.errors import InvalidValue

_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:]+\]|[0-9A-Za-z._-]+|\*):([0-9]{1,5})")


def check_address(address: str) -> str:
    """Return a learner's address, or raise InvalidValue."""
    found = _TCP.fullmatch(address)
    if found is None or not 0 <= int(found[2]) <= 65535:
        raise InvalidValue(f"'{address}' is no address: write tcp://HOST:PORT, as tcp://gpu:5750")
    return address


def is_loopback(address: str) -> bool:
    """Tell whether only this machine can be at the other end."""
    found = _TCP.fullmatch(check_address(address))
    host = found[1].strip("[]") if found else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_open(address: str, *, keys: bool) -> None:
    """Refuse an address that others can reach unless there are keys."""
    if not keys and not is_loopback(address):
        raise InvalidValue(
            f"{address} can be reached by other machines, and without keys anybody could send"
            " episodes or weights: make keys with `hiors keys new NAME`, and give their folder"
        )
