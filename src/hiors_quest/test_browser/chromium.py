# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium with Meta's Quest emulator in it, for tests and benchmarks (drive.mjs)."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
MODULES = FOLDER / "node_modules" / "iwer"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
NODE = shutil.which("node")


class Chromium:
    """The browser process: one order at a time."""

    def __init__(self) -> None:
        """Start it."""
        command = [str(NODE), str(FOLDER / "drive.mjs"), str(CHROMIUM)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._orders, self._answers = self._process.stdin, self._process.stdout

    def __call__(self, verb: str, **options: Any) -> Any:
        """Do what drive.mjs calls ``verb``; returns its answer, raises what went wrong."""
        self._orders.write(json.dumps({"do": verb, **options}) + "\n")
        self._orders.flush()
        line = self._answers.readline()
        if not line:
            raise RuntimeError("the browser process ended")
        answer = json.loads(line)
        if not answer["ok"]:
            raise RuntimeError(f"{verb} {options}: {answer.get('error')}")
        return answer["value"]

    def close(self) -> None:
        """End the browser."""
        self._orders.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
