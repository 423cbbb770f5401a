# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_teleop",
    version="0.1.0",
    packages=find_packages(include=["hiors_teleop", "hiors_teleop.*"]),
    package_data={"hiors_teleop": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_teleop"]),
        ("share/hiors_teleop", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Gamepad, SpaceMouse, pedal and keyboard as teleoperation devices.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "joy_node = hiors_teleop.joy_node:main",
            "keyboard_node = hiors_teleop.keyboard_node:main",
        ]
    },
)
