# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_recorder",
    version="0.1.0",
    packages=find_packages(include=["hiors_recorder", "hiors_recorder.*"]),
    package_data={"hiors_recorder": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_recorder"]),
        ("share/hiors_recorder", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="recorder_node: episodes logged at variable frequency, sealed as MCAP bags.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["recorder_node = hiors_recorder.recorder_node:main"]},
)
