# SPDX-License-Identifier: Apache-2.0
"""Flow-matching policies, their transforms and checkpoints."""
