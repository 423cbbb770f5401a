# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_bridge",
    version="0.1.0",
    packages=find_packages(include=["hiors_bridge", "hiors_bridge.*"]),
    package_data={"hiors_bridge": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_bridge"]),
        ("share/hiors_bridge", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="bridge_node: accepted episodes to the learner, checkpoints back.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["bridge_node = hiors_bridge.bridge_node:main"]},
)
