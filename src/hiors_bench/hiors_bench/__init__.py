# SPDX-License-Identifier: Apache-2.0
"""Measures learning in simulation: Hi-ORS, baselines and ablations."""
