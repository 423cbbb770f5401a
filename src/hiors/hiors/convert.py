# SPDX-License-Identifier: Apache-2.0
"""`hiors convert`: a pi0 from any published format into any other, or into a checkpoint of hiors.

Between published formats the weights are copied bit by bit. `--to hiors` makes of one a policy for
a robot, which `hiors up policy:=FOLDER` drives with and `hiors train --start FOLDER` trains.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hiors.options import Parser
from hiors.places import config_file
from hiors_core.errors import InvalidValue

HIORS = "hiors"
ROBOT_ONLY = ("demos", "cameras", "kind", "dt", "steps", "horizon", "absolute", "tokenizer")


def main(argv: Sequence[str]) -> int:
    """Convert and say what was written."""
    options = _parser().parse_args(argv)
    if options.out.exists():
        raise InvalidValue(f"{options.out} exists: nothing is overwritten.")
    if options.to == HIORS:
        return _adopt(options)
    given = [name for name in ROBOT_ONLY if getattr(options, name)]
    if given:
        raise InvalidValue(f"Only --to {HIORS} takes {', '.join(f'--{name}' for name in given)}.")
    from hiors_policy import pi0
    from hiors_policy.pi0.precision import DTYPES

    dtype = DTYPES[options.dtype] if options.dtype else None
    pi0.convert(options.source, options.out, options.to, dtype=dtype, asset=options.asset)
    print(f"{options.out}: {options.to}")
    return 0


def _adopt(options: argparse.Namespace) -> int:
    from hiors_core.robot import load_robot
    from hiors_core.task import load_task
    from hiors_policy.pi0.adopt import Adoption, adopt
    from hiors_policy.pi0.codec import Pi0Settings
    from hiors_policy.pi0.precision import DTYPES

    task = load_task(config_file("tasks", options.task))
    robot = load_robot(config_file("robots", options.robot), options.arms or [task.arm])
    settings = Pi0Settings(
        kind=options.kind or "joint",
        dt=options.dt or 0.05,
        cameras=tuple(options.cameras or ()),
        relative=not options.absolute,
        steps=options.steps or 10,
    )
    job = Adoption(
        source=options.source,
        settings=settings,
        demos=options.demos,
        asset=options.asset,
        tokenizer=options.tokenizer,
        horizon=options.horizon,
        dtype=DTYPES[options.dtype or "float32"],
    )
    manifest = adopt(job, robot, options.out, options.version)
    spec = manifest.spec
    print(
        f"{options.out}: version {manifest.version}, {spec.kind} of {', '.join(spec.names)},"
        f" {spec.horizon} rows of {spec.dt:g} s, cameras {', '.join(spec.cameras) or 'none'}"
    )
    return 0


def _parser() -> Parser:
    parser = Parser(prog="hiors convert", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("source", help="checkpoint of any format; 'tiny': a tiny random one (--to hiors)")
    add("out", type=Path, help="folder to write; must not exist")
    formats = ("openpi", "lerobot", "lerobot_legacy", "transformers", HIORS)
    add("--to", required=True, choices=formats, help="format to write")
    add("--dtype", choices=("float32", "bfloat16"), help="of the weights (as they are)")
    add("--asset", help="whose statistics, when the source has several")
    robot = parser.add_argument_group("--to hiors").add_argument
    robot("--robot", default="xtrainer", help="file in config/robots")
    robot("--task", default="insert_moisturizer", help="file in config/tasks")
    robot("--arms", nargs="+", metavar="ARM", help="arms in use (the task's arm)")
    robot("--demos", type=Path, help="episode store to fit the statistics on (the source's own)")
    robot("--cameras", nargs="+", metavar="CAMERA", help="outer view, left wrist, right wrist")
    robot("--kind", choices=("joint", "ee"), help="action space (joint)")
    robot("--dt", type=float, help="between rows of a chunk [s] (0.05)")
    robot("--horizon", type=int, help="rows of a chunk (the source's)")
    robot("--steps", type=int, help="Euler steps of an inference (10)")
    robot("--absolute", action="store_true", help="actions are no offsets from the state")
    robot("--tokenizer", type=Path, help="PaliGemma's tokenizer (looked for in known places)")
    robot("--version", default="v000000-start", help="name of the version (v000000-start)")
    return parser
