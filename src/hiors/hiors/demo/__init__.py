# SPDX-License-Identifier: Apache-2.0
"""`hiors demo`: from nothing to a simulated X-Trainer that learns to insert while it works."""

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run `hiors demo`; the parts are imported when it is called."""
    from hiors.demo.main import main as run

    return run(argv)
