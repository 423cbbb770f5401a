# SPDX-License-Identifier: Apache-2.0
"""The graph: who runs for which arguments, with parameters that the nodes really declare."""

import xml.etree.ElementTree as ET
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml

from hiors.arguments import BringupArgs
from hiors.description import PUBLISHER, robot_description, root_link
from hiors.graph import build_graph
from hiors.places import config_file
from hiors.run import prepare
from hiors.spec import Graph, NodeSpec
from hiors_core.errors import HiorsError, InvalidValue, UnknownName
from hiors_core.robot import load_robot


def names(graph: Graph) -> set[str]:
    return {spec.name for spec in graph}


def node(graph: Graph, name: str) -> NodeSpec:
    return next(n for n in graph.nodes if n.name == name)


def args(tmp_path: Path, **values: object) -> BringupArgs:
    return BringupArgs(run_dir=str(tmp_path), **values)


def test_everything_runs_by_default(tmp_path: Path) -> None:
    graph = build_graph(args(tmp_path))
    expected = {"sim", "driver", "arbiter", "policy", "recorder", "label", "bridge", "operator"}
    assert names(graph) == expected | {"learner"}


@pytest.mark.parametrize(
    ("values", "absent"),
    [
        ({"learner": "none"}, {"learner", "bridge"}),
        ({"teleop": "none"}, {"operator"}),
        ({"sim": False, "teleop": "none"}, {"sim", "operator"}),
        ({"demonstrate": True}, {"policy", "learner", "bridge"}),
    ],
)
def test_arguments_leave_parts_out(tmp_path: Path, values: dict, absent: set[str]) -> None:
    everything = names(build_graph(args(tmp_path)))
    assert names(build_graph(args(tmp_path, **values))) == everything - absent


def test_names_are_unique_and_in_the_namespace(tmp_path: Path) -> None:
    graph = build_graph(args(tmp_path, namespace="lab/robot1"))
    assert len(names(graph)) == len(list(graph))
    assert all(n.full_name == f"/lab/robot1/{n.name}" for n in graph.nodes)


def test_driver_and_simulator_meet_at_the_same_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    graph = build_graph(args(tmp_path, arms="both"))
    for arm, host in (("left", "127.0.7.1"), ("right", "127.0.7.2")):
        for key in (f"{arm}.host", f"{arm}.gripper_port"):
            assert node(graph, "driver").parameters[key] == node(graph, "sim").parameters[key]
        assert node(graph, "driver").parameters[f"{arm}.host"] == host


def test_simulated_robots_of_one_domain_do_not_meet(tmp_path: Path) -> None:
    hosts = [
        node(build_graph(args(tmp_path, arms="both", namespace=name)), "sim").parameters[
            f"{a}.host"
        ]
        for name in ("", "robot1", "robot2", "lab/robot1")
        for a in ("left", "right")
    ]
    assert len(set(hosts)) == len(hosts)
    assert all(ip_address(host).is_loopback for host in hosts)


def test_a_real_robot_has_the_addresses_of_its_file_for_the_arms_in_use(tmp_path: Path) -> None:
    driver = node(build_graph(args(tmp_path, sim=False, teleop="none")), "driver")
    assert driver.parameters["left.host"] == "192.168.5.1"
    assert not [key for key in driver.parameters if key.startswith("right.")]


def test_cameras_with_a_serial_number_are_started_where_their_topics_belong(
    tmp_path: Path,
) -> None:
    data = yaml.safe_load(config_file("robots", "xtrainer").read_text(encoding="utf-8"))
    serials = {"top": "_1", "left_wrist": "_2", "right_wrist": "_3"}
    data["camera_driver"]["cameras"] = {n: {"serial_no": s} for n, s in serials.items()}
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    values = {"robot": str(path), "sim": False, "teleop": "none", "namespace": "robot1"}

    def cameras(**more: object) -> dict[str, NodeSpec]:
        nodes = build_graph(args(tmp_path, **values | more)).nodes
        return {n.full_name: n for n in nodes if n.package == "realsense2_camera"}

    assert set(cameras()) == {"/robot1/camera/top", "/robot1/camera/left_wrist"}
    top = cameras()["/robot1/camera/top"]
    assert top.parameters["serial_no"] == "_1"
    assert top.parameters["rgb_camera.color_profile"] == "640x480x30"
    assert top.env["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("loopback_images.xml")
    assert len(cameras(arms="both")) == 3
    assert not cameras(sim=True) | cameras(cameras=False)
    data["camera_driver"]["cameras"] = {"tpo": {}}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(UnknownName, match="Did you mean 'top'"):
        cameras()


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("camera_driver", "cameras", ["top"], "cameras must be a mapping of camera names"),
        ("camera_driver", "cameras", {"top": "_1"}, "top must be a mapping of parameter names"),
        ("camera_driver", "parameters", ["_1"], "parameters must be a mapping of parameter names"),
        ("driver", "parameters", "_1", "parameters must be a mapping of parameter names"),
        ("driver", "parameter", {}, "Did you mean 'parameters'"),
        ("leader", "parameters", 3, "parameters must be a mapping of parameter names"),
    ],
)
def test_a_node_that_is_described_wrongly_is_refused_with_the_place(
    tmp_path: Path, section: str, key: str, value: object, told: str
) -> None:
    data = yaml.safe_load(config_file("robots", "xtrainer").read_text(encoding="utf-8"))
    data[section][key] = value
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(HiorsError, match=told) as error:
        build_graph(args(tmp_path, robot=str(path), sim=False, teleop="leader"))
    assert f"lab.yaml: {section}" in str(error.value)


@pytest.mark.parametrize("simulated", [{}, {"simulated": ["left.offsets"]}])
def test_only_a_simulated_leader_needs_to_be_described_and_by_a_mapping(
    tmp_path: Path, simulated: dict[str, object]
) -> None:
    data = yaml.safe_load(config_file("robots", "xtrainer").read_text(encoding="utf-8"))
    del data["leader"]["simulated"]
    data["leader"] |= simulated
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    real = build_graph(args(tmp_path, robot=str(path), sim=False, teleop="leader"))
    assert [n.executable for n in real.nodes if n.name == "leader"] == ["leader_node"]
    with pytest.raises(InvalidValue, match=r"leader\.simulated must be a mapping"):
        build_graph(args(tmp_path, robot=str(path), teleop="leader"))


def own_robot(folder: Path, **changes: object) -> Path:
    """Write a robot file of somebody's own, beside no other."""
    data = yaml.safe_load(config_file("robots", "xtrainer").read_text(encoding="utf-8"))
    driver = {"package": "my_robot", "executable": "driver_node", "parameters": {"left.speed": 1}}
    data |= {"name": "my_robot", "driver": driver} | changes
    path = folder / "my_robot.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in data.items() if v}), encoding="utf-8")
    return path


def own_task(folder: Path) -> Path:
    """Write a task file of somebody's own."""
    data = yaml.safe_load(config_file("tasks", "insert_moisturizer").read_text(encoding="utf-8"))
    path = folder / "my_task.yaml"
    path.write_text(yaml.safe_dump(data | {"name": "my_task", "robot": "my_robot"}))
    return path


def test_robot_and_task_of_somebodys_own_are_files_anywhere(tmp_path: Path) -> None:
    robot, task = own_robot(tmp_path), own_task(tmp_path)
    values = {"robot": str(robot), "task": str(task), "teleop": "none"}
    driver = node(build_graph(args(tmp_path, sim=False, **values)), "driver")
    assert (driver.package, driver.executable) == ("my_robot", "driver_node")
    assert driver.parameters == {"robot_file": robot, "arms": ("left",), "left.speed": 1}
    with pytest.raises(InvalidValue, match="no simulator of the robot my_robot, only of xtrainer"):
        build_graph(args(tmp_path, **values))
    with pytest.raises(InvalidValue, match="is done by the robot my_robot, not xtrainer"):
        build_graph(args(tmp_path, task=str(task)))
    own_robot(tmp_path, driver=None)
    with pytest.raises(InvalidValue, match=r"my_robot.yaml has no section 'driver'"):
        build_graph(args(tmp_path, sim=False, **values))


@pytest.mark.parametrize(
    ("robot", "said"),
    [("xtrainr", "Did you mean 'xtrainer'"), ("nowhere/r.yaml", "nowhere/r.yaml is not a file")],
)
def test_a_robot_that_is_not_there_is_refused(tmp_path: Path, robot: str, said: str) -> None:
    with pytest.raises(HiorsError, match=said):
        build_graph(args(tmp_path, robot=robot))


def test_leader_arms_have_the_ports_of_the_robot_file_and_hand_back_to_the_policy(
    tmp_path: Path,
) -> None:
    values = {"sim": False, "teleop": "leader"}
    leader = node(build_graph(args(tmp_path, **values)), "leader")
    assert leader.parameters["left.port"] == "/dev/ttyUSB0"
    assert leader.parameters["release_to"] == "policy"
    assert not [key for key in leader.parameters if key.startswith("right.")]
    demonstrating = node(build_graph(args(tmp_path, demonstrate=True, **values)), "leader")
    assert demonstrating.parameters["release_to"] == "hold"


def test_simulated_leaders_share_port_and_zeros_with_their_node(tmp_path: Path) -> None:
    graph = build_graph(args(tmp_path, teleop="leader", arms="both"))
    leader, emulated = node(graph, "leader"), node(graph, "leader_sim")
    for arm in ("left", "right"):
        for name in ("port", "offsets", "gripper_closed", "gripper_opened"):
            key = f"{arm}.{name}"
            assert leader.parameters[key] == emulated.parameters[key]
        assert leader.parameters[f"{arm}.port"] == tmp_path / "devices" / f"{arm}_leader"
    assert emulated.parameters["task_file"].stem == "insert_moisturizer"


def test_a_joy_device_has_the_parameters_of_its_preset(tmp_path: Path) -> None:
    graph = build_graph(args(tmp_path, teleop="joy", joy="spacemouse"))
    assert node(graph, "joy_teleop").parameters["topic"] == "spacenav/joy"
    with pytest.raises(UnknownName, match="gamepad, pedal, spacemouse"):
        build_graph(args(tmp_path, teleop="joy", joy="mouse"))


def test_the_keyboard_is_a_persons_own_terminal(tmp_path: Path) -> None:
    assert "operator" not in names(build_graph(args(tmp_path, teleop="keyboard")))


def test_a_user_file_lies_over_the_graph(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("driver: {ros__parameters: {left.host: 10.0.0.1}}")
    graph = build_graph(args(tmp_path, params=str(path)))
    assert node(graph, "driver").parameters["left.host"] == "10.0.0.1"


def test_a_user_file_for_a_node_that_does_not_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("bridge: {ros__parameters: {label_grace: 2.0}}")
    with pytest.raises(UnknownName, match="bridge"):
        build_graph(args(tmp_path, params=str(path), learner="none"))


@pytest.mark.parametrize("task", ["insert_moisturiser", "../robots/xtrainer"])
def test_a_task_without_file_is_refused_with_those_that_exist(tmp_path: Path, task: str) -> None:
    with pytest.raises(UnknownName, match="insert_moisturizer"):
        build_graph(args(tmp_path, task=task))


def test_a_learner_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"none\.yaml"):
        build_graph(args(tmp_path, learner_config=str(tmp_path / "none.yaml")))


def test_an_unknown_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="people"):
        build_graph(args(tmp_path), rooms=("poeple",))


def test_rooms_are_parts_of_the_graph(tmp_path: Path) -> None:
    assert names(build_graph(args(tmp_path), rooms=("bridge", "learner"))) == {"bridge", "learner"}


def test_demonstrations_are_recorded_in_a_store_of_their_own(tmp_path: Path) -> None:
    graph = build_graph(args(tmp_path, demonstrate=True))
    for name in ("recorder", "label"):
        assert node(graph, name).parameters["store"] == tmp_path / "demos"


def test_prepare_makes_the_folders_of_a_run(tmp_path: Path) -> None:
    root = prepare(args(tmp_path / "new"))
    assert (root / "link" / "inbox").is_dir()
    assert prepare(args(tmp_path / "new")) == root


def test_the_learner_gets_files_that_exist(tmp_path: Path) -> None:
    (learner,) = build_graph(args(tmp_path)).processes
    words = list(learner.command)
    for option in ("--robot", "--task", "--config"):
        assert Path(words[words.index(option) + 1]).is_file()
    assert config_file("learner", "default").is_file()


def declared(spec: NodeSpec, arms: tuple[str, ...]) -> set[str]:
    """Return the parameters that the node declares, read from its parameter dataclasses."""
    parameters = pytest.importorskip("hiors_ros.parameters")
    modules = {
        "sim": ("hiors_sim_ros.parameters", "SimParameters", "SimArmParameters"),
        "operator": ("hiors_sim_ros.parameters", "OperatorParameters", None),
        "driver": ("hiors_xtrainer.parameters", "DriverParameters", "ArmParameters"),
        "arbiter": ("hiors_control.arbiter_parameters", "ArbiterParameters", None),
        "policy": ("hiors_control.policy_parameters", "PolicyParameters", None),
        "recorder": ("hiors_recorder.parameters", "RecorderParameters", None),
        "label": ("hiors_reward.parameters", "LabelParameters", None),
        "bridge": ("hiors_bridge.parameters", "BridgeParameters", None),
        "quest": ("hiors_quest.parameters", "QuestParameters", None),
    }
    module_name, node_class, arm_class = modules[spec.name]
    module = pytest.importorskip(module_name)
    found = [info.name for info in parameters.describe(getattr(module, node_class))]
    for arm in arms if arm_class else ():
        prefix = f"{arm}."
        found += [i.name for i in parameters.describe(getattr(module, arm_class), prefix)]
    return set(found)


NODES = ["sim", "driver", "arbiter", "policy", "recorder", "label", "bridge", "operator"]


@pytest.mark.parametrize("name", NODES)
def test_nodes_declare_every_parameter_that_the_graph_gives(tmp_path: Path, name: str) -> None:
    spec = node(build_graph(args(tmp_path, arms="both")), name)
    assert set(spec.parameters) <= declared(spec, ("left", "right"))


def test_the_headset_declares_every_parameter_that_the_graph_gives(tmp_path: Path) -> None:
    spec = node(build_graph(args(tmp_path, teleop="quest")), "quest")
    assert set(spec.parameters) <= declared(spec, ("left",))


def test_the_console_drives_only_as_the_teleoperation_device(tmp_path: Path) -> None:
    assert "console" not in names(build_graph(args(tmp_path)))
    watching = node(build_graph(args(tmp_path, console=True)), "console")
    assert watching.parameters["drive"] is False
    assert watching.parameters["cameras"] == ("top", "left_wrist")
    assert not watching.required
    driving = node(build_graph(args(tmp_path, teleop="console", cameras=False)), "console")
    assert driving.parameters["drive"] is True
    assert driving.parameters["cameras"] == ()
    assert driving.required


def test_markers_are_an_extra_that_may_die(tmp_path: Path) -> None:
    assert "markers" not in names(build_graph(args(tmp_path)))
    assert not node(build_graph(args(tmp_path, markers=True)), "markers").required


def test_nothing_that_dies_is_started_anew_unless_wanted(tmp_path: Path) -> None:
    again = [s.name for s in build_graph(args(tmp_path, console=True)) if s.respawn]
    assert again == ["console", "learner"]
    assert not [s for s in build_graph(args(tmp_path, console=True, respawn=False)) if s.respawn]


def test_a_ros_installation_adds_the_robots_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "lib" / PUBLISHER / PUBLISHER
    program.parent.mkdir(parents=True)
    program.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    graph = build_graph(args(tmp_path, markers=True, namespace="robot1"))
    spec = node(graph, PUBLISHER)
    assert spec.remappings == {"/tf": "tf", "/tf_static": "tf_static"}
    assert not spec.required
    text = spec.parameters["robot_description"]
    assert root_link(text) == "table"
    assert "left_tool0" in text
    assert "right_" not in text


@pytest.mark.parametrize("robot", ["xtrainer", "tora_one"])
def test_every_joint_of_the_model_is_a_column_or_follows_one(robot: str) -> None:
    path = config_file("robots", robot)
    for arms in ((), ("left",), ("right",)):
        model = load_robot(path, arms or None)
        root = ET.fromstring(robot_description(path, arms))
        links = {link.get("name") for link in root.findall("link")}
        assert {frame for arm in model.arms for frame in (arm.base_frame, arm.tool_frame)} <= links
        for joint in root.findall("joint"):
            assert joint.find("parent").get("link") in links
            moved = joint.get("type") != "fixed" and joint.find("mimic") is None
            assert not moved or joint.get("name") in model.names, joint.get("name")
