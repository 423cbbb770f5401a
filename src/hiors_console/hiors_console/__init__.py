# SPDX-License-Identifier: Apache-2.0
"""The web console: the operator's seat in any browser."""
