# SPDX-License-Identifier: Apache-2.0
"""`hiors bench`: lists the benchmarks, or runs some of them.

`hiors bench learning --help`: Hi-ORS against its baselines and without its parts.
"""

import argparse
import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hiors.options import Parser
from hiors.places import config, repository
from hiors_core.errors import HiorsError, UnknownName

LEARNING = "learning"


def main(argv: Sequence[str]) -> int:
    """List the benchmarks, or run the named ones; what follows -- goes to the benchmark."""
    words = list(argv)
    if words[:1] == [LEARNING]:
        from hiors_bench import command

        return command.main(words[1:], config(), Parser(prog=f"hiors bench {LEARNING}"))
    cut = words.index("--") if "--" in words else len(words)
    parser = Parser(prog="hiors bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", help="benchmarks to run; none: list them; all: every")
    parser.add_argument("--folder", type=Path, help="where they are (default: benchmarks/)")
    options = parser.parse_args(words[:cut])
    if not options.names:
        print(f"  {LEARNING:<16} Hi-ORS, baselines and ablations; see `hiors bench learning -h`")
    found = benchmarks(options.folder or repository() / "benchmarks")
    if not options.names:
        print("\n".join(f"  {name:<16} {summary(path)}" for name, path in found.items()))
        return 0
    for name in options.names:
        if name != "all" and name not in found:
            raise UnknownName("benchmark", name, [LEARNING, *found, "all"])
    chosen = list(found) if "all" in options.names else options.names
    return max(_run(found[name], words[cut + 1 :]) for name in chosen)


def benchmarks(folder: Path) -> dict[str, Path]:
    """Return the benchmark scripts of the folder by name."""
    found = {p.stem: p for p in sorted(folder.glob("*.py")) if not p.stem.startswith("_")}
    if not found:
        raise HiorsError(f"There are no benchmarks in {folder}.")
    return found


def summary(path: Path) -> str:
    """Return the first line of a script's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def _run(path: Path, words: Sequence[str]) -> int:
    print(f"== {path.stem}", flush=True)
    return subprocess.run([sys.executable, str(path), *words], check=False).returncode
