# SPDX-License-Identifier: Apache-2.0
"""What the hiors nodes share: strict parameters, QoS, conversions, diagnostics, clean start and end."""
