# SPDX-License-Identifier: Apache-2.0
"""LeRobotDataset v3.0, written and read without the lerobot package."""
