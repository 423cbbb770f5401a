# SPDX-License-Identifier: Apache-2.0
"""What the hiors nodes share: parameters, QoS, conversions, diagnostics, start and end."""
