# SPDX-License-Identifier: Apache-2.0
"""The `hiors` command. Sub-commands are imported when they are called: the help is quick."""

import importlib
import signal
import sys
from collections.abc import Sequence

from hiors_core.errors import HiorsError, UnknownName

COMMANDS = {
    "up": "run the graph: robot or simulator, policy, recorder, learner (name:=value ...)",
    "demo": "watch a simulated X-Trainer learn to insert while it works",
    "train": "run the learner on stored episodes, or beside a running graph",
    "keys": "make or show the keys of robots and learner on different machines",
    "episode": "run episodes in a running graph",
    "label": "say how an episode went: success, failure, a return, discard, undo",
    "calibrate": "find the zeros of a leader arm",
    "panel": "open the panels Intervention and Labels in a window (needs Qt)",
    "top": "watch rates, latencies, losses and states of a running robot, in the terminal",
    "replay": "publish a recorded episode again, at any speed",
    "import": "make episodes of recordings and datasets made elsewhere",
    "export": "make datasets of episodes (LeRobot)",
    "convert": "change the format of a pi0, or make it a policy of a robot",
    "eval": "compare checkpoints on recorded episodes, without the robot",
    "bench": "list the benchmarks, or run some",
    "doctor": "say what is missing on this machine and how to get it",
}
MODULES = {"import": "importing", "export": "exporting", "eval": "evaluating"}
"""Modules that cannot have the name of their command."""
USAGE_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code: 2 for wrong usage, 130 after Ctrl-C, 143
    after SIGTERM.
    """
    _end_cleanly()
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if words else USAGE_ERROR
    try:
        name, *rest = words
        if name not in COMMANDS:
            raise UnknownName("command", name, COMMANDS, "`hiors --help` explains them.")
        return int(importlib.import_module(f"hiors.{MODULES.get(name, name)}").main(rest))
    except HiorsError as error:
        print(f"hiors: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except OSError as error:
        # What a command did not foresee of the machine: a full disk, a file that may not be read.
        where = f"{error.filename}: " if error.filename else ""
        print(f"hiors: {where}{error.strerror or error}", file=sys.stderr)
        return 1


def _end_cleanly() -> None:
    # A shell script that starts this with `&` lets it ignore SIGINT, and Python keeps to that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # SIGTERM would leave behind what a command has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def usage() -> str:
    """Return the help text."""
    rows = ["usage: hiors COMMAND [ARGS]", "", "Human-in-the-loop online rejection sampling.", ""]
    rows += [f"  {name:<9} {text}" for name, text in COMMANDS.items()]
    return "\n".join([*rows, "", "`hiors COMMAND --help` says more about one of them."])


if __name__ == "__main__":
    sys.exit(main())
