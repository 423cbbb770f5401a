# SPDX-License-Identifier: Apache-2.0
"""Insert the moisturizer: grasp the box, put it into the hole of the work plate, let go."""
