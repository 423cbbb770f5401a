# SPDX-License-Identifier: Apache-2.0
"""label_node: the reward-labelling service."""
