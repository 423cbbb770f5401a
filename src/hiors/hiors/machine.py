# SPDX-License-Identifier: Apache-2.0
"""What the doctor examines of the machine: Python, compiler, disk, GPU, rendering, ports."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

from hiors import places
from hiors.checks import Finding

PORTS = (29999, 30003, 30004)
"""Dashboard, motion and feedback of a Dobot controller, and of the simulated one."""
NEEDED_GB = 2.0
RENDER = (
    "import mujoco; m = mujoco.MjModel.from_xml_string('<mujoco/>');"
    "r = mujoco.Renderer(m, 16, 16); r.update_scene(mujoco.MjData(m)); r.render()"
)


def python() -> Finding:
    """The interpreter and its headers."""
    version = ".".join(str(n) for n in sys.version_info[:3])
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    ok = (3, 11) <= sys.version_info[:2] <= (3, 12) and headers.is_file()
    remedy = "apt-get install python3 python3-venv python3-dev (Debian 12, Ubuntu 24.04)"
    tested = "" if sys.version_info[:2] == (3, 11) else " (hiors is tested with 3.11)"
    text = f"{version}{tested}" if headers.is_file() else f"{version} without headers"
    return Finding(name="Python", ok=ok, text=text, remedy=remedy)


def tools() -> Finding:
    """The programs that building messages takes."""
    missing = [name for name in ("g++", "cmake", "make") if not shutil.which(name)]
    text = f"lacks {', '.join(missing)}" if missing else "g++, cmake, make"
    remedy = f"apt-get install {' '.join(missing)}"
    return Finding(name="build tools", ok=not missing, text=text, remedy=remedy)


def disk() -> Finding:
    """Free space where the clone is."""
    free = shutil.disk_usage(places.repository()).free / 1e9
    ok = free >= NEEDED_GB
    text = f"{free:.1f} GB free"
    remedy = f"a run takes up to {NEEDED_GB:g} GB; free some, or give a run_dir elsewhere"
    return Finding(name="disk", ok=ok, text=text, remedy=remedy)


def gpu() -> Finding:
    """An NVIDIA GPU, which is not needed."""
    tool = shutil.which("nvidia-smi")
    query = ["--query-gpu=name,memory.total", "--format=csv,noheader"]
    answer = ""
    if tool:
        done = subprocess.run([tool, *query], capture_output=True, text=True, check=False)
        answer = "; ".join(done.stdout.split("\n")).strip("; ") if not done.returncode else ""
    text = answer or "none: the small policies train on the CPU; pi0 needs a GPU"
    return Finding(name="GPU", ok=bool(answer), text=text, needed=False)


def rendering() -> Finding:
    """Off-screen rendering of the simulated cameras, tried for real in a process of its own."""
    backend = os.environ.get("MUJOCO_GL", "egl")
    env = {**os.environ, "MUJOCO_GL": backend}
    done = subprocess.run(
        [sys.executable, "-c", RENDER], env=env, capture_output=True, text=True, check=False
    )
    ok = done.returncode == 0
    reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
    text = f"MuJoCo draws with {backend}" if ok else f"MuJoCo cannot draw with {backend}: {reason}"
    remedy = "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0"
    return Finding(name="rendering", ok=ok, text=text, remedy=remedy)


def ports() -> Finding:
    """The ports of the simulated controller."""
    taken = [str(port) for port in PORTS if _taken(port)]
    text = f"taken: {', '.join(taken)}" if taken else f"free: {', '.join(map(str, PORTS))}"
    remedy = "another simulator runs; end it, or use a real robot with sim:=false"
    return Finding(name="ports", ok=not taken, text=text, remedy=remedy, needed=False)


def _taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
