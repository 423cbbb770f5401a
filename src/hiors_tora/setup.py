# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="hiors_tora",
    version="0.1.0",
    packages=find_packages(include=["hiors_tora", "hiors_tora.*"]),
    package_data={"hiors_tora": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/hiors_tora"]),
        ("share/hiors_tora", ["package.xml"]),
        ("share/hiors_tora/urdf", ["urdf/tora_one.urdf"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="hiors maintainers",
    maintainer_email="maintainers@hiors.dev",
    description="Driver of the PaXini Tora One.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["driver_node = hiors_tora.driver_node:main"]},
)
