# SPDX-License-Identifier: Apache-2.0
"""recorder_node: episodes logged at variable frequency, sealed as MCAP bags."""
