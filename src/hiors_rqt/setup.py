# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_rqt",
    version="0.1.0",
    packages=find_packages(include=["hiors_rqt", "hiors_rqt.*"]),
    package_data={"hiors_rqt": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_rqt"]),
        ("share/hiors_rqt", ["package.xml", "plugin.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="rqt panels for the person who watches, takes over and labels.",
    license="Apache-2.0",
)
