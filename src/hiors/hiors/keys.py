# SPDX-License-Identifier: Apache-2.0
"""`hiors keys`: makes and shows the Curve keys of robots and learner on different machines."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hiors.options import Parser
from hiors_core.errors import InvalidValue
from hiors_link.keys import LEARNER, PRIVATE, PUBLIC, new_identity, public_keys

FOLDER = Path("~/.config/hiors/keys")
_HELP = f"""\
Each machine has one pair: `{LEARNER}` beside the learner, on a robot its name (its namespace, or
`robot`). The private file NAME{PRIVATE} never leaves its machine. Copy the public ones across:

  on the learner:  hiors keys new {LEARNER}     and put every robot's NAME{PUBLIC} into its folder
  on each robot:   hiors keys new robot1      and put {LEARNER}{PUBLIC} into its folder

A robot joins as soon as its {PUBLIC} is there, and is not let in again once it is taken away.
"""


def main(argv: Sequence[str]) -> int:
    """Make a pair (`new NAME`) or list what is there (`show`)."""
    parser = Parser(
        prog="hiors keys",
        description=__doc__,
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", nargs="?", default="show", choices=("show", "new"))
    parser.add_argument("name", nargs="?", help="of the robot, or 'learner'")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"default: {FOLDER}")
    options = parser.parse_args(argv)
    folder = options.folder.expanduser()
    if options.action == "new":
        if not options.name:
            raise InvalidValue("Say whose keys: `hiors keys new robot1`, or `new learner`.")
        made = new_identity(folder, options.name)
        print(f"{made.public.decode()}  {made.name}")
        print(f"private: {folder / (made.name + PRIVATE)} (stays here)")
        print(f"public:  {folder / (made.name + PUBLIC)} (copy it to the other side)")
        return 0
    if folder.exists() and not folder.is_dir():
        raise InvalidValue(f"--folder {folder} is a file; keys lie in a folder.")
    found = public_keys(folder)
    for key, name in sorted(found.items(), key=lambda item: item[1]):
        own = "  (private key here)" if (folder / f"{name}{PRIVATE}").exists() else ""
        print(f"{key.decode()}  {name}{own}")
    if not found:
        print(f"There are no keys in {folder}; `hiors keys new NAME` makes some.")
    return 0
