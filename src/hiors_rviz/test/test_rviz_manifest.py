# SPDX-License-Identifier: Apache-2.0
"""The plugin's name is the same everywhere: class, description, build file, RViz configuration."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[1]
CONFIG = FOLDER.parents[1] / "config" / "rviz" / "hiors.rviz"


def test_description_class_and_library_agree() -> None:
    root = ET.parse(FOLDER / "plugins_description.xml").getroot()
    (plugin,) = root.iter("class")
    assert plugin.get("base_class_type") == "rviz_common::Panel"
    source = (FOLDER / "src" / "control_panel.cpp").read_text(encoding="utf-8")
    assert f"PLUGINLIB_EXPORT_CLASS({plugin.get('type')}, rviz_common::Panel)" in source
    build = (FOLDER / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.search(rf"project\({root.get('path')}\)", build)
    assert "add_library(${PROJECT_NAME} SHARED" in build
    export = "pluginlib_export_plugin_description_file(rviz_common plugins_description.xml)"
    assert export in build
    panels = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["Panels"]
    assert plugin.get("name") in {p["Class"] for p in panels}


def test_without_rviz_the_package_is_left_out_with_a_message() -> None:
    build = (FOLDER / "CMakeLists.txt").read_text(encoding="utf-8")
    guard = build[build.index("find_package(rviz_common QUIET)") :]
    guard = guard[: guard.index("endif()")]
    assert "message(WARNING" in guard
    assert "ament_package()" in guard
    assert "return()" in guard
