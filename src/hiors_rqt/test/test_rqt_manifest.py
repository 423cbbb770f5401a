# SPDX-License-Identifier: Apache-2.0
"""package.xml, setup.py and plugin.xml are what rqt looks for, read the way rqt reads them."""

import ast
import xml.etree.ElementTree as ET
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]


def test_the_export_leads_to_an_installed_plugin_file() -> None:
    package = ET.parse(FOLDER / "package.xml").getroot()
    exports = package.findall("export/rqt_gui")
    assert [e.get("plugin") for e in exports] == ["${prefix}/plugin.xml"]
    assert '("share/hiors_rqt", ["package.xml", "plugin.xml"])' in (FOLDER / "setup.py").read_text(
        encoding="utf-8"
    )
    depends = {d.text for d in package.findall("exec_depend")}
    assert {"python_qt_binding", "rqt_gui", "rqt_gui_py"} <= depends


def test_every_class_of_the_plugin_file_exists_and_is_described() -> None:
    root = ET.parse(FOLDER / "plugin.xml").getroot()
    classes = list(root.iter("class"))
    assert [c.get("name") for c in classes] == ["Intervention", "Labels"]
    assert root.tag == "library"
    assert root.get("path") is not None
    for one in classes:
        assert one.get("base_class_type") == "rqt_gui_py::Plugin"
        module, name = str(one.get("type")).rsplit(".", 1)
        source = FOLDER / (module.replace(".", "/") + ".py")
        tree = ast.parse(source.read_text(encoding="utf-8"))
        assert name in {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
        assert one.findtext("description")
        assert one.findtext("qtgui/label")
        assert one.findtext("qtgui/group/label") == "hiors"
