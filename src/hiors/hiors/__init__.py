# SPDX-License-Identifier: Apache-2.0
"""The graph of hiors and the `hiors` command. Nothing imports this package."""
