# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_ros",
    version="0.1.0",
    packages=find_packages(include=["hiors_ros", "hiors_ros.*"]),
    package_data={"hiors_ros": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_ros"]),
        ("share/hiors_ros", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="What the nodes of hiors share.",
    license="Apache-2.0",
    entry_points={"console_scripts": []},
)
