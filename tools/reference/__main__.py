# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference from the code. `--check` writes nothing and fails when a page is stale."""

import os
import sys
from pathlib import Path

# Defaults that are somebody's name are printed as such, not as the name of who runs this.
os.environ["USER"] = os.environ["LOGNAME"] = "$USER"

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
STALE = 1


def main(words: list[str]) -> int:
    """Write the pages, or compare them with what is there."""
    written = pages()
    if words == ["--check"]:
        return check(written)
    FOLDER.mkdir(exist_ok=True)
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(written)} pages in {FOLDER}")
    return 0


def pages() -> dict[str, str]:
    """Return the text of every page."""
    from commands import commands_page, launch_page
    from formats import formats_page
    from interfaces import interfaces_page, topics_page
    from nodes import nodes_page, programs

    found = programs(ROOT)
    return {
        "nodes.md": nodes_page(found),
        "topics.md": topics_page(found),
        "interfaces.md": interfaces_page(ROOT),
        "commands.md": commands_page(),
        "arguments.md": launch_page(),
        "formats.md": formats_page(),
    }


def check(written: dict[str, str]) -> int:
    """Name the pages that are not what the code says."""
    stale = [
        name
        for name, text in written.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    if stale:
        print(f"docs/reference is stale ({', '.join(stale)}): run `make reference`.")
    return STALE if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
