# SPDX-License-Identifier: Apache-2.0
"""The method and the control of hiors, without ROS."""
