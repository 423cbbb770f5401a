# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_console",
    version="0.1.0",
    packages=find_packages(include=["hiors_console", "hiors_console.*"]),
    package_data={"hiors_console": ["py.typed", "web/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_console"]),
        ("share/hiors_console", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Web console: watch, take over, label, replay, and see it learn, in any browser.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["console_node = hiors_console.console_node:main"]},
)
