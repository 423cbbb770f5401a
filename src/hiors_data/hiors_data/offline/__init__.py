# SPDX-License-Identifier: Apache-2.0
"""Open-loop evaluation: what checkpoints would have done on recorded episodes."""
