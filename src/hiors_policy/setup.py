# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_policy",
    version="0.1.0",
    packages=find_packages(include=["hiors_policy", "hiors_policy.*"]),
    package_data={"hiors_policy": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_policy"]),
        ("share/hiors_policy", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Flow-matching policies, their transforms and checkpoints.",
    license="Apache-2.0",
    entry_points={"console_scripts": []},
)
