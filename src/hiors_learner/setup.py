# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_learner",
    version="0.1.0",
    packages=find_packages(include=["hiors_learner", "hiors_learner.*"]),
    package_data={"hiors_learner": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_learner"]),
        ("share/hiors_learner", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="The online learner: data mixture, losses, DeepSpeed training process.",
    license="Apache-2.0",
    entry_points={"console_scripts": []},
)
