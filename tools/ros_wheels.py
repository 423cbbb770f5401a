# SPDX-License-Identifier: Apache-2.0
"""Corrects the include paths in the CMake files of the ROS 2 wheels.

The wheels name the Python and NumPy headers of the machine that built them
(/opt/python/cp311-cp311/...), which exist nowhere else, so that rosidl's generated code would not
compile. Run with the interpreter of the virtual environment; safe to run again.
"""

import os
import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

_PYTHON_HEADERS = re.compile(r"/opt/python/cp\d+-cp\d+t?/include/python3\.\d+t?")
_NUMPY_HEADERS = re.compile(r"[^;\"\s]*/numpy/_core/include")


def correct(text: str, python_headers: str, numpy_headers: str) -> str:
    """Return the CMake text with this machine's header folders in place of the builder's."""
    text = _PYTHON_HEADERS.sub(lambda _: python_headers, text)
    return _NUMPY_HEADERS.sub(lambda _: numpy_headers, text)


def correct_files(prefix: Path) -> int:
    """Correct every exported generator file under the prefix; return how many were changed."""
    changed = 0
    for path in prefix.glob("share/*/cmake/*__rosidl_generator_pyExport*.cmake"):
        old = path.read_text(encoding="utf-8")
        new = correct(old, sysconfig.get_path("include"), np.get_include())
        if new != old:
            aside = path.with_suffix(".cmake.new")
            aside.write_text(new, encoding="utf-8")
            os.replace(aside, path)
            changed += 1
    return changed


if __name__ == "__main__":
    print(f"{correct_files(Path(sys.prefix))} CMake files of the ROS wheels corrected")
