# SPDX-License-Identifier: Apache-2.0
"""``python -m hiors_bench.worker OUT CONFIG``: does the jobs that arrive on its input."""

import json
import os
import sys
import traceback
from pathlib import Path

import torch

from hiors_bench.experiment import perform
from hiors_bench.runs import BenchFolder, Job
from hiors_core.errors import HiorsError


def main() -> int:
    """Answer every line of the input with one line; 0 when the input ends."""
    folder, config = BenchFolder(Path(sys.argv[1])), Path(sys.argv[2])
    torch.set_num_threads(1)
    # What libraries print must not get between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            error = ""
            try:
                perform(folder, config, Job(**json.loads(line)))
            except HiorsError as refused:
                error = str(refused)
            except Exception as broken:  # noqa: BLE001 - a broken run must not take others along
                traceback.print_exc()
                error = f"{type(broken).__name__}: {broken}"
            answers.write(json.dumps({"error": error}) + "\n")
            answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
