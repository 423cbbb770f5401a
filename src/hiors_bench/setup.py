# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_bench",
    version="0.1.0",
    packages=find_packages(include=["hiors_bench", "hiors_bench.*"]),
    package_data={"hiors_bench": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_bench"]),
        ("share/hiors_bench", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Measures learning in simulation: Hi-ORS, baselines and ablations.",
    license="Apache-2.0",
    entry_points={"console_scripts": []},
)
