# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_seat",
    version="0.1.0",
    packages=find_packages(include=["hiors_seat", "hiors_seat.*"]),
    package_data={"hiors_seat": ["py.typed", "page/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_seat"]),
        ("share/hiors_seat", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="What the front ends of a person share: the view, the requests, the web server.",
    license="Apache-2.0",
)
