# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_sim",
    version="0.1.0",
    packages=find_packages(include=["hiors_sim", "hiors_sim.*"]),
    package_data={"hiors_sim": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_sim"]),
        ("share/hiors_sim", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Simulation of the tasks, scripted operator, emulators of device protocols.",
    license="Apache-2.0",
    entry_points={"console_scripts": []},
)
