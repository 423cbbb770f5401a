# SPDX-License-Identifier: Apache-2.0
"""Where rqt is installed, it finds both plugins by itself."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rqt_gui")


def test_rqt_lists_the_plugins() -> None:
    code = "import sys; from rqt_gui.main import Main; sys.exit(Main().main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--list-plugins", "--force-discover"],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert {"hiors_rqt.plugin.Intervention", "hiors_rqt.plugin.Labels"} <= set(
        done.stdout.split()
    ), done.stderr
