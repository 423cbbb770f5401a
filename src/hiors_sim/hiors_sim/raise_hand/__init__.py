# SPDX-License-Identifier: Apache-2.0
"""Raise the hand: bring it to a shown pose and hold it there."""
