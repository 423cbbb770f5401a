# SPDX-License-Identifier: Apache-2.0
"""From nothing to a simulated X-Trainer that learns to insert a box while it works:
demonstrations, starting policy, the whole graph with a scripted person, evaluation, summary.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hiors import places
from hiors.options import Parser
from hiors_core.errors import InvalidValue

POLICIES = {"state": "object_poses", "vision": "vision"}
"""Files in config/policies, by what the policy sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    episodes: int
    out: Path
    seed: int
    headless: bool
    policy: str
    demonstrations: int
    steps: int
    evaluation: int
    params: Path


def parse(argv: Sequence[str]) -> Options:
    """Return what the words of `hiors demo` ask for, or raise InvalidValue."""
    found = _parser().parse_args(argv)
    lowest = {"episodes": 1, "seed": 0, "demonstrations": 1, "steps": 1, "evaluation": 1}
    for name, low in lowest.items():
        if getattr(found, name) < low:
            raise InvalidValue(f"--{name} must be at least {low}, got {getattr(found, name)}")
    out = (found.out or Path("runs") / time.strftime("demo-%Y%m%d-%H%M%S")).resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidValue(f"--out {out} exists and is not an empty folder: choose another")
    params = (found.params or places.config() / "demo.yaml").resolve()
    if not params.is_file():
        raise InvalidValue(f"--params {params} is not a file")
    return Options(**{**vars(found), "out": out, "params": params})


def _parser() -> Parser:
    parser = Parser(prog="hiors demo", description=__doc__)
    parser.add_argument("--episodes", type=int, default=60, help="online episodes (60)")
    parser.add_argument("--out", type=Path, help="folder to write (runs/demo-<date>-<time>)")
    parser.add_argument("--seed", type=int, default=0, help="of scenes, operator and weights (0)")
    parser.add_argument("--headless", action="store_true", help="plain lines, no live table")
    parser.add_argument(
        "--policy",
        choices=tuple(POLICIES),
        default="state",
        help="state: sees the object's pose, which the simulator gives away; vision: sees images "
        "and takes many times longer to learn",
    )
    parser.add_argument("--demonstrations", type=int, default=3, help="to start from (3)")
    parser.add_argument("--steps", type=int, default=1200, help="of the starting policy (1200)")
    parser.add_argument("--evaluation", type=int, default=40, help="episodes of each (40)")
    parser.add_argument(
        "--params", type=Path, help="YAML parameters laid over the graph's (config/demo.yaml)"
    )
    return parser
