# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_xtrainer",
    version="0.1.0",
    packages=find_packages(include=["hiors_xtrainer", "hiors_xtrainer.*"]),
    package_data={"hiors_xtrainer": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_xtrainer"]),
        ("share/hiors_xtrainer", ["package.xml"]),
        ("share/hiors_xtrainer/urdf", ["urdf/xtrainer.urdf"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Driver of the Dobot X-Trainer.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "driver_node = hiors_xtrainer.driver_node:main",
            "leader_node = hiors_xtrainer.leader_node:main",
        ]
    },
)
