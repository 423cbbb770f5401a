# SPDX-License-Identifier: Apache-2.0
"""Episodes to a learner on another host, checkpoints back."""
