# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

from setuptools import find_packages, setup


def installed_files(folder: str) -> list[tuple[str, list[str]]]:
    """data_files for a folder at the repository's root, with its sub-folders."""
    root = Path("../..") / folder
    rows = []
    for here, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        target = Path("share/hiors") / folder / Path(here).relative_to(root)
        if files:
            rows.append((str(target), [str(Path(here) / name) for name in sorted(files)]))
    return rows


setup(
    name="hiors",
    version="0.1.0",
    packages=find_packages(include=["hiors", "hiors.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors"]),
        ("share/hiors", ["package.xml"]),
        *installed_files("launch"),
        *installed_files("config"),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="The graph of hiors (which nodes run and how), launch files, the hiors command.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["hiors = hiors.cli:main"]},
)
