# SPDX-License-Identifier: Apache-2.0
"""Driver of the Dobot X-Trainer."""
