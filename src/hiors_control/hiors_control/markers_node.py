# SPDX-License-Identifier: Apache-2.0
"""markers_node: chunk, executed path, limits and authority as markers for RViz and others."""

import sys
from itertools import product
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from hiors_control.marker_parameters import MarkersParameters
from hiors_control.paths import Paths
from hiors_core.authority import COLOURS, Authority
from hiors_core.errors import HiorsError
from hiors_core.robot import Array, load_robot
from hiors_interfaces.msg import ActionChunk, ControlState, ExecutedAction
from hiors_ros.conversions import to_ns
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsNode, run_node

TOPIC = "control/markers"
_EDGES = tuple(
    (a, b)
    for a in product((0, 1), repeat=3)
    for b in product((0, 1), repeat=3)
    if a < b and sum(x != y for x, y in zip(a, b, strict=True)) == 1
)


class MarkersNode(HiorsNode):
    """Publishes a MarkerArray; costs nothing while nobody listens."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("markers_node", **kwargs)
        self._settings = self.declare_all(MarkersParameters)
        self.finish_parameters()
        self._robot = load_robot(self._settings.robot_file, self._settings.arms or None)
        self._paths = Paths(self._robot, self._settings.trail)
        self._state = ControlState()
        self._out = self.advertise(MarkerArray, TOPIC)
        self.subscribe(ActionChunk, "policy/chunk", self._on_chunk)
        self.subscribe(ExecutedAction, "control/executed", self._on_executed)
        self.subscribe(ControlState, "control/state", self._on_state)
        self.create_timer(1.0 / self._settings.rate, self._show)

    def _on_state(self, message: ControlState) -> None:
        self._state = message

    def _on_chunk(self, message: ActionChunk) -> None:
        if not self._out.get_subscription_count():
            return
        values = np.array(message.values, dtype=np.float64)
        try:
            self._paths.on_chunk(
                message.action_space,
                message.names,
                values.reshape(message.horizon, -1) if message.horizon else values,
                to_ns(message.obs_stamp),
                message.dt,
            )
            self.diagnostics.set("chunk", Level.OK, "shown")
        except (HiorsError, ValueError) as error:
            self.diagnostics.set("chunk", Level.WARN, str(error))

    def _on_executed(self, message: ExecutedAction) -> None:
        if self._out.get_subscription_count():
            values = dict(zip(message.names, message.position, strict=False))
            self._paths.on_executed(values, message.authority, to_ns(message.header.stamp))

    def _show(self) -> None:
        if not self._out.get_subscription_count():
            return
        now = self.now_ns()
        future, executed = self._paths.future(now), self._paths.executed(now)
        markers = []
        for i, arm in enumerate(self._robot.arms):
            tip = executed[-1][1][i] if executed else None
            markers.append(self._workspace(i, tip))
            markers.append(self._future(i, None if future is None else future[i]))
            markers.append(self._executed(i, [(who, tips[i]) for who, tips in executed]))
            markers.append(self._text(i, arm.limits.workspace_upper))
            markers.append(self._joints(i, tip))
        self._out.publish(MarkerArray(markers=markers))

    def _marker(self, arm: int, kind: int, name: str, width: float) -> Marker:
        marker = Marker(ns=name, id=arm, type=kind, action=Marker.ADD)
        marker.header.frame_id = self._robot.arms[arm].base_frame
        marker.pose.orientation.w = 1.0
        marker.scale.x = width
        return marker

    def _workspace(self, arm: int, tip: Array | None) -> Marker:
        limits = self._robot.arms[arm].limits
        marker = self._marker(arm, Marker.LINE_LIST, "workspace", 0.002)
        near = tip is not None and self._paths.near_edge(arm, tip, self._settings.margin)
        marker.color = _colour(COLOURS[Authority.HANDOVER if near else Authority.HOLD], 0.8)
        corners = np.stack([limits.workspace_lower, limits.workspace_upper])
        for edge in _EDGES:
            for corner in edge:
                marker.points.append(_point(corners[list(corner), [0, 1, 2]]))
        return marker

    def _future(self, arm: int, path: Array | None) -> Marker:
        marker = self._marker(arm, Marker.LINE_STRIP, "policy", 0.006)
        marker.color = _colour(COLOURS[Authority.POLICY], 0.9)
        if path is None or len(path) < 2:
            marker.action = Marker.DELETE
            return marker
        marker.points = [_point(p) for p in path]
        return marker

    def _executed(self, arm: int, path: list[tuple[Authority, Array]]) -> Marker:
        marker = self._marker(arm, Marker.LINE_STRIP, "executed", 0.004)
        if len(path) < 2:
            marker.action = Marker.DELETE
            return marker
        marker.points = [_point(p) for _, p in path]
        marker.colors = [_colour(COLOURS[who], 1.0) for who, _ in path]
        return marker

    def _text(self, arm: int, corner: Array) -> Marker:
        marker = self._marker(arm, Marker.TEXT_VIEW_FACING, "authority", 0.0)
        marker.scale.z = 0.06
        who = Authority(self._state.authority)
        marker.color = _colour(COLOURS[who], 1.0)
        marker.text = who.name if who is not Authority.HUMAN else self._state.operator_name
        marker.text = marker.text or who.name
        middle = (corner + self._robot.arms[arm].limits.workspace_lower) / 2
        marker.pose.position = _point(np.array([middle[0], middle[1], corner[2] + 0.05]))
        return marker

    def _joints(self, arm: int, tip: Array | None) -> Marker:
        """Name, above the tool, the joints that are near their limits."""
        marker = self._marker(arm, Marker.TEXT_VIEW_FACING, "limits", 0.0)
        near = self._paths.near_limits(arm, self._settings.joint_margin)
        if tip is None or not near:
            marker.action = Marker.DELETE
            return marker
        marker.scale.z = 0.04
        marker.color = _colour(COLOURS[Authority.HANDOVER], 1.0)
        marker.text = "\n".join(f"{name} at its limit" for name in near)
        marker.pose.position = _point(tip + np.array([0.0, 0.0, 0.1]))
        return marker


def _point(xyz: Array) -> Point:
    x, y, z = (float(v) for v in xyz)
    return Point(x=x, y=y, z=z)


def _colour(text: str, alpha: float) -> ColorRGBA:
    r, g, b = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return ColorRGBA(r=r, g=g, b=b, a=alpha)


def main() -> int:
    """Run markers_node."""
    return run_node(MarkersNode)


if __name__ == "__main__":
    sys.exit(main())
