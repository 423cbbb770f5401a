# SPDX-License-Identifier: Apache-2.0
"""policy_node and arbiter_node: who drives the robot, and with what."""
