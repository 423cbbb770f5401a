# SPDX-License-Identifier: Apache-2.0
"""Pack the detergent: pick the bottle from a moving conveyor, place it in a cardboard box."""
