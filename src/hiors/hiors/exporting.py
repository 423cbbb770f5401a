# SPDX-License-Identifier: Apache-2.0
"""`hiors export`: episodes as datasets that other tools train on."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hiors.options import Parser


def main(argv: Sequence[str]) -> int:
    """Export and say what was written."""
    options = _parser().parse_args(argv)
    return _lerobot(options)


def _lerobot(options: argparse.Namespace) -> int:
    from hiors_data.lerobot.export import Export, export
    from hiors_data.offline.episodes import open_store

    wish = Export(
        fps=options.fps,
        everything=options.all,
        video=not options.images,
        cameras=None if options.cameras is None else tuple(options.cameras),
        objects=None if options.objects is None else tuple(options.objects),
    )

    def show(done: int, count: int) -> None:
        print(f"\r{done}/{count} episodes", end="", file=sys.stderr, flush=True)

    found = export(open_store(options.episodes), options.out, wish, show)
    print(file=sys.stderr)
    print(
        f"{options.out}: {found.episodes} episodes, {found.frames} frames at {options.fps} Hz."
        " The fixed rate loses what lay between frames; true stamps are in observation.stamp_ns."
    )
    return 0


def _parser() -> Parser:
    parser = Parser(prog="hiors export", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    lerobot = kinds.add_parser("lerobot", help="LeRobotDataset v3.0")
    add = lerobot.add_argument
    add("--episodes", type=Path, required=True, help="episode store")
    add("--out", type=Path, required=True, help="dataset folder; must not exist")
    add("--fps", type=int, default=10, help="frames per second, by resampling (10)")
    add("--all", action="store_true", help="also what was not accepted")
    kind = lerobot.add_mutually_exclusive_group()
    kind.add_argument("--video", action="store_true", help="images as AV1 video (default)")
    kind.add_argument("--images", action="store_true", help="images as PNG in the tables")
    add("--cameras", nargs="*", metavar="CAMERA", help="only these (none given: no images)")
    add("--objects", nargs="*", metavar="OBJECT", help="poses of only these")
    return parser
