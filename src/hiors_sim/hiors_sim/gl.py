# SPDX-License-Identifier: Apache-2.0
"""Which OpenGL platform MuJoCo renders with, chosen before MuJoCo is imported.

Knows nothing of scenes.
"""

import ctypes
import os
import sys
from pathlib import Path

APT = {
    "egl": "libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri libglvnd0",
    "osmesa": "libosmesa6",
}
"""Debian and Ubuntu packages of each headless platform."""

_VENDORS = (Path("/usr/share/glvnd/egl_vendor.d"), Path("/etc/glvnd/egl_vendor.d"))


def choose_backend() -> str:
    """Set MUJOCO_GL unless it is set: egl, else osmesa, else nothing. Return what it is."""
    if sys.platform == "linux" and not os.environ.get("MUJOCO_GL"):
        if _egl():
            os.environ["MUJOCO_GL"] = "egl"
        elif _loads("libOSMesa.so.8") or _loads("libOSMesa.so.6"):
            os.environ["MUJOCO_GL"] = "osmesa"
    return os.environ.get("MUJOCO_GL", "")


def advice() -> str:
    """Return what to do when no picture can be rendered."""
    now = os.environ.get("MUJOCO_GL") or "(not set)"
    return (
        f"MUJOCO_GL is {now}. Headless rendering needs EGL (apt-get install {APT['egl']}) or, with"
        f" MUJOCO_GL=osmesa, OSMesa (apt-get install {APT['osmesa']})"
    )


def _egl() -> bool:
    # libEGL alone is only the dispatcher; without a vendor's file it has no driver behind it.
    vendors = any(folder.is_dir() and any(folder.glob("*.json")) for folder in _VENDORS)
    return vendors and _loads("libEGL.so.1") and _loads("libGL.so.1")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
