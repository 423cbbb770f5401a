# SPDX-License-Identifier: Apache-2.0
"""A page and its socket: TLS, token, strict messages, one operator, many watchers."""
