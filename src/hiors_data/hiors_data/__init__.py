# SPDX-License-Identifier: Apache-2.0
"""Recordings in and out of hiors: bags, LeRobot datasets, offline evaluation."""
