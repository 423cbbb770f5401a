# SPDX-License-Identifier: Apache-2.0
"""The online learner: data mixture, losses, DeepSpeed training process."""
