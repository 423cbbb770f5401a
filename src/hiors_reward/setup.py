# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_reward",
    version="0.1.0",
    packages=find_packages(include=["hiors_reward", "hiors_reward.*"]),
    package_data={"hiors_reward": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_reward"]),
        ("share/hiors_reward", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="label_node: the reward-labelling service.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["label_node = hiors_reward.label_node:main"]},
)
