# SPDX-License-Identifier: Apache-2.0
"""`hiors panel`: the panels Intervention and Labels in a window, without rqt."""

import argparse
import getpass
from collections.abc import Sequence

from hiors.arguments import check_namespace
from hiors.options import Parser

PANELS = ("both", "intervention", "labels")


def main(argv: Sequence[str]) -> int:
    """Show the window; the exit code is 0 when it was closed, 2 where Qt is missing."""
    options = _parser().parse_args(argv)
    check_namespace(options.namespace)
    from hiors_rqt.window import run

    return run(options.which, options.namespace, options.operator)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="hiors panel", description=__doc__)
    parser.add_argument("which", nargs="?", choices=PANELS, default="both", help="what to show")
    parser.add_argument("--namespace", default="", help="namespace of the running graph")
    parser.add_argument("--operator", default=getpass.getuser(), help="who takes over and labels")
    return parser
