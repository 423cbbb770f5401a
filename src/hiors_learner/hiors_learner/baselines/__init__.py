# SPDX-License-Identifier: Apache-2.0
"""What Hi-ORS is compared with, behind the same Agent interface."""
