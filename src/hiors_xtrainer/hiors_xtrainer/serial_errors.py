# SPDX-License-Identifier: Apache-2.0
"""What a serial port raises when its cable is pulled out."""

import termios

PORT_ERRORS = (OSError, termios.error)
"""pyserial's own errors are OSErrors; flushing a port that is gone raises termios.error, which is
none."""
