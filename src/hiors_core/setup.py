# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_core",
    version="0.1.0",
    packages=find_packages(include=["hiors_core", "hiors_core.*"]),
    package_data={"hiors_core": ["py.typed", "msg/*.msg"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_core"]),
        ("share/hiors_core", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="The method and the control of hiors, without ROS.",
    license="Apache-2.0",
    entry_points={"console_scripts": []},
)
