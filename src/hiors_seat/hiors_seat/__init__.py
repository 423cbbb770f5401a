# SPDX-License-Identifier: Apache-2.0
"""What the front ends of a person share: what they show, what they ask for, how they serve."""
