# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_data",
    version="0.1.0",
    packages=find_packages(include=["hiors_data", "hiors_data.*"]),
    package_data={"hiors_data": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_data"]),
        ("share/hiors_data", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Recordings in and out of hiors: bags, LeRobot datasets, offline evaluation.",
    license="Apache-2.0",
    entry_points={"console_scripts": []},
)
