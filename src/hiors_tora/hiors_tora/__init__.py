# SPDX-License-Identifier: Apache-2.0
"""Driver of the PaXini Tora One, over the standard interfaces of ROS 2."""
