# SPDX-License-Identifier: Apache-2.0
"""Teleoperation with a Meta Quest 3: the WebXR page, its socket, the clutch, and the node."""
