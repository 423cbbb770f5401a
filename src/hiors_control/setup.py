# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_control",
    version="0.1.0",
    packages=find_packages(include=["hiors_control", "hiors_control.*"]),
    package_data={"hiors_control": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_control"]),
        ("share/hiors_control", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="policy_node and arbiter_node: who drives the robot, and with what.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "arbiter_node = hiors_control.arbiter_node:main",
            "markers_node = hiors_control.markers_node:main",
            "policy_node = hiors_control.policy_node:main",
        ]
    },
)
