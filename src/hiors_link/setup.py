# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_link",
    version="0.1.0",
    packages=find_packages(include=["hiors_link", "hiors_link.*"]),
    package_data={"hiors_link": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_link"]),
        ("share/hiors_link", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Episodes to a learner on another host, checkpoints back, over ZeroMQ.",
    license="Apache-2.0",
    entry_points={"console_scripts": []},
)
