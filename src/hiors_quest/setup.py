# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_quest",
    version="0.1.0",
    packages=find_packages(include=["hiors_quest", "hiors_quest.*"]),
    package_data={"hiors_quest": ["py.typed", "web/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_quest"]),
        ("share/hiors_quest", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Teleoperation with a Meta Quest 3: quest_node and its WebXR page.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["quest_node = hiors_quest.quest_node:main"]},
)
