# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium for the tests of the pages, and why they are skipped where it is missing."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "test_browser"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
NODE = shutil.which("node")
MODULES = FOLDER / "node_modules" / "iwer"

MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.skipif(NODE is None, reason="no node: apt-get install nodejs npm"),
    pytest.mark.skipif(
        not MODULES.is_dir(),
        reason=f"no node modules: (cd {FOLDER} && npm ci)",
    ),
]
"""Of every module with browser tests."""


class Chromium:
    """The browser process: one order at a time."""

    def __init__(self) -> None:
        command = [str(NODE), str(FOLDER / "drive.mjs"), str(CHROMIUM)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, verb: str, **options: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": verb, **options}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the browser process ended"
        answer = json.loads(line)
        assert answer["ok"], f"{verb} {options}: {answer.get('error')}"
        return answer["value"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
