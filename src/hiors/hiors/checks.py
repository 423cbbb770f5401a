# SPDX-License-Identifier: Apache-2.0
"""What the doctor examines of hiors: environment, packages, ROS 2, workspace, transport."""

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hiors import middleware, places
from hiors_core.errors import HiorsError

SETUP = "run `make setup`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found. Not needed: worth knowing, but hiors runs without it."""

    name: str
    ok: bool
    text: str
    remedy: str = ""
    needed: bool = True


Check = Callable[[], Finding]


def environment() -> Finding:
    """The virtual environment that `make setup` makes."""
    expected = places.repository() / ".venv"
    inside = Path(sys.prefix).resolve() == expected.resolve()
    text = f"{sys.prefix}" if inside else f"runs in {sys.prefix}, not in {expected}"
    remedy = f"{SETUP}, then start hiors by bin/hiors"
    return Finding(name="environment", ok=inside, text=text, remedy=remedy, needed=False)


def packages() -> Finding:
    """Installed Python packages against the lock files."""
    wrong = []
    names = ("base", "dev", "ros") if _ros_kind() == "wheels" else ("base",)
    count = 0
    for name in names:
        for package, version in locked(places.repository() / "requirements" / f"{name}.lock"):
            count += 1
            found = _installed(package)
            if found != version:
                wrong.append(f"{package} {found or 'missing'} (locked {version})")
    text = f"{count} match the lock files" if not wrong else "; ".join(wrong[:4])
    more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
    return Finding(name="packages", ok=not wrong, text=text + more, remedy=SETUP)


def locked(path: Path) -> list[tuple[str, str]]:
    """Return name and version of every package of a lock file."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE)


def ros() -> Finding:
    """The ROS 2 that is in use."""
    import rclpy

    kind = _ros_kind()
    where = Path(rclpy.__file__).parent
    middleware = os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    text = f"Jazzy, {kind} ({where}), {middleware}"
    return Finding(name="ROS 2", ok=True, text=text)


def workspace() -> Finding:
    """Whether the workspace is built, and from the present sources."""
    import hiors_interfaces.msg as messages

    root = places.repository()
    built = root / "install" / "local_setup.bash"
    if not built.is_file():
        return Finding(name="workspace", ok=False, text="is not built", remedy=SETUP)
    script = root / "tools" / "setup.sh"
    fresh = subprocess.run(
        ["bash", str(script), "--check"], capture_output=True, text=True, check=False
    )
    count = len([n for n in dir(messages) if n[0].isupper()])
    text = f"built and fresh ({count} messages)" if not fresh.returncode else "sources are newer"
    return Finding(name="workspace", ok=not fresh.returncode, text=text, remedy=SETUP)


def transport() -> Finding:
    """How the nodes reach each other."""
    profile = os.environ.get(middleware.PROFILE, "")
    reach = os.environ.get(middleware.RANGE, "SUBNET")
    if not profile:
        text = f"discovery range {reach}, built-in transports; raw images may be lost"
    else:
        text = "this machine alone" if middleware.is_own(profile) else f"by {profile}"
    return Finding(
        name="transport",
        ok=not profile or Path(profile).is_file(),
        text=text,
        remedy=f"{middleware.PROFILE} names a file that is not there",
        needed=False,
    )


def _ros_kind() -> str:
    try:
        mark = places.repository() / ".venv" / ".ros"
        return mark.read_text(encoding="utf-8").strip()
    except (OSError, HiorsError):
        return "unknown"


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
