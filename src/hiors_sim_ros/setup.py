# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_sim_ros",
    version="0.1.0",
    packages=find_packages(include=["hiors_sim_ros", "hiors_sim_ros.*"]),
    package_data={"hiors_sim_ros": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_sim_ros"]),
        ("share/hiors_sim_ros", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="The simulated robots and the scripted operator as nodes.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "xtrainer_sim_node = hiors_sim_ros.xtrainer_sim_node:main",
            "tora_sim_node = hiors_sim_ros.tora_sim_node:main",
            "leader_sim_node = hiors_sim_ros.leader_sim_node:main",
            "operator_node = hiors_sim_ros.operator_node:main",
        ]
    },
)
