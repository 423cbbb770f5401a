# SPDX-License-Identifier: Apache-2.0
"""The driver node by control_msgs' actions and the controller manager's service, against a robot
that offers nothing else. Skipped where those interfaces are not installed; README says how to run.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("control_msgs", reason="apt install ros-jazzy-control-msgs")
pytest.importorskip(
    "controller_manager_msgs", reason="apt install ros-jazzy-controller-manager-msgs"
)

from control_msgs.action import FollowJointTrajectory, GripperCommand
from controller_manager_msgs.srv import SwitchController
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger
from tora_bench import Graph

from hiors_core.authority import Authority

PARAMETERS = {
    "arms": "[left]",
    "left.output": "trajectory_action",
    "left.gripper_output": "action",
    "left.gripper_opened": 0.08,
    "left.gripper_max_effort": 12.0,
    "switch_service": "controller_manager/switch_controller",
    "switch_deactivate": "[gravity_controller]",
}


class ActionRobot:
    """A robot whose controllers take goals; it is at a goal's end at once."""

    def __init__(self, graph: Graph) -> None:
        node, self.arm = graph.node, graph.robot.arms[0]
        self.joints, self.opening = self.arm.home.copy(), 0.08
        self.goals: list[FollowJointTrajectory.Goal] = []
        self.grips: list[GripperCommand.Goal] = []
        self.switches: list[SwitchController.Request] = []
        self.cancelled = 0
        self.rejects = self.refuses = self.lingers = False
        self._states = node.create_publisher(JointState, "tora/joint_states", 10)
        node.create_timer(0.01, self._publish)
        node.create_service(SetBool, "tora/enable", self._on_enable)
        manager = "tora/controller_manager/switch_controller"
        node.create_service(SwitchController, manager, self._on_switch)
        controller = "tora/left_arm_controller/follow_joint_trajectory"
        self._servers = [
            ActionServer(
                node,
                FollowJointTrajectory,
                controller,
                self._follow,
                goal_callback=self._on_goal,
                handle_accepted_callback=self._accept,
                cancel_callback=self._on_cancel,
            ),
            ActionServer(
                node, GripperCommand, "tora/left_gripper_controller/gripper_cmd", self._grip
            ),
        ]

    def close(self) -> None:
        for server in self._servers:
            server.destroy()

    def _publish(self) -> None:
        position = [*self.joints.tolist(), self.opening]
        self._states.publish(JointState(name=list(self.arm.names), position=position))

    def _on_enable(self, request: Any, response: Any) -> Any:
        response.success = True
        return response

    def _on_switch(self, request: Any, response: Any) -> Any:
        self.switches.append(request)
        response.ok, response.message = not self.refuses, "hardware is off" * self.refuses
        return response

    def _on_goal(self, goal: FollowJointTrajectory.Goal) -> GoalResponse:
        self.goals.append(goal)
        return GoalResponse.REJECT if self.rejects else GoalResponse.ACCEPT

    def _accept(self, handle: ServerGoalHandle) -> None:
        if not self.lingers:
            handle.execute()

    def _on_cancel(self, _: ServerGoalHandle) -> CancelResponse:
        self.cancelled += 1
        return CancelResponse.ACCEPT

    def _follow(self, handle: ServerGoalHandle) -> FollowJointTrajectory.Result:
        trajectory = handle.request.trajectory
        (point,) = trajectory.points
        order = [list(trajectory.joint_names).index(name) for name in self.arm.joints]
        self.joints = np.array(point.positions)[order]
        handle.succeed()
        return FollowJointTrajectory.Result()

    def _grip(self, handle: ServerGoalHandle) -> GripperCommand.Result:
        self.grips.append(handle.request)
        self.opening = handle.request.command.position
        handle.succeed()
        return GripperCommand.Result(position=self.opening, reached_goal=True)


@pytest.fixture
def graph(ros: None) -> Iterator[Graph]:
    graph = Graph(("left",))
    yield graph
    graph.close()


@pytest.fixture
def robot(graph: Graph) -> Iterator[ActionRobot]:
    robot = ActionRobot(graph)
    yield robot
    robot.close()


def start(graph: Graph) -> None:
    graph.start("hiors_tora.driver_node", **PARAMETERS)
    graph.spin_until(lambda: bool(graph.heard["control/executed"]), "executed actions")


def test_controllers_are_switched_on_and_goals_bring_arm_and_gripper_there(
    graph: Graph, robot: ActionRobot
) -> None:
    start(graph)
    request = robot.switches[0]
    assert request.activate_controllers == ["left_arm_controller", "left_gripper_controller"]
    assert request.deactivate_controllers == ["gravity_controller"]
    assert request.strictness == SwitchController.Request.STRICT
    graph.authority = Authority.POLICY
    graph.goal[[0, 3]] += [-0.1, 0.15]
    graph.goal[-1] = 0.25
    graph.spin_until(lambda: np.abs(robot.joints - graph.goal[:-1]).max() < 1e-3, "the goal")
    graph.spin_until(lambda: abs(robot.opening - 0.02) < 1e-3, "the gripper, in its own unit")
    assert list(robot.goals[-1].trajectory.joint_names) == list(robot.arm.joints)
    assert robot.goals[-1].trajectory.points[0].time_from_start.nanosec == 40_000_000
    assert robot.grips[-1].command.max_effort == 12.0
    graph.spin_until(lambda: np.abs(graph.measured - graph.goal).max() < 1e-2, "measured, 0 .. 1")


def test_a_stop_cancels_the_goal_under_way_and_sends_no_more(
    graph: Graph, robot: ActionRobot
) -> None:
    start(graph)
    graph.authority, robot.lingers = Authority.POLICY, True
    count = len(robot.goals)
    graph.goal[0] -= 0.2
    graph.spin_until(lambda: len(robot.goals) > count, "a goal")
    graph.authority = Authority.STOPPED
    graph.spin_until(lambda: robot.cancelled > 0, "the cancellation")
    count, ticks = len(robot.goals), graph.tick
    graph.spin_until(lambda: graph.tick > ticks + 20, "more commands")
    assert len(robot.goals) == count


def test_a_rejected_goal_is_a_fault_until_a_person_enables(
    graph: Graph, robot: ActionRobot
) -> None:
    start(graph)
    robot.rejects, graph.authority = True, Authority.POLICY
    graph.goal[0] -= 0.1
    problem = "driver: arm left"
    graph.spin_until(lambda: "rejected a goal" in graph.problems.get(problem, ""), "the fault")
    robot.rejects, robot.refuses = False, True
    refused = graph.call(Trigger, "driver/enable")
    assert not refused.success
    assert "left_gripper_controller: hardware is off" in refused.message
    robot.refuses = False
    graph.spin_until(lambda: graph.call(Trigger, "driver/enable").success, "being enabled")


def test_without_a_server_it_names_the_action_and_the_parameter(graph: Graph) -> None:
    graph.start("hiors_tora.driver_node", **PARAMETERS | {"enable_service": "''"})
    states = graph.node.create_publisher(JointState, "tora/joint_states", 10)
    arm = graph.robot.arms[0]
    home = JointState(name=list(arm.names), position=[*arm.home.tolist(), 0.08])
    graph.node.create_timer(0.02, lambda: states.publish(home))
    problem = "driver: arm left"
    expected = "nobody serves the action /tora/left_arm_controller/follow_joint_trajectory"
    graph.spin_until(lambda: expected in graph.problems.get(problem, ""), "the reason")
    assert "left.command_topic" in graph.problems[problem]
