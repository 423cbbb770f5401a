# SPDX-License-Identifier: Apache-2.0
"""The simulated robots as processes with ROS topics, and the scripted operator as a node."""
