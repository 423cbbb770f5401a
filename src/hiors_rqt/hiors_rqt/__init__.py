# SPDX-License-Identifier: Apache-2.0
"""The panels Intervention and Labels, in rqt or as a window of their own."""
