# SPDX-License-Identifier: Apache-2.0
"""bridge_node: accepted episodes to the learner, checkpoints back."""
