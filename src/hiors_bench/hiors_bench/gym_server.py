# SPDX-License-Identifier: Apache-2.0
"""``python gym_server.py``: gym-hil's PickCube behind a pipe, in a process with its own MuJoCo.

Reads a JSON line a call, {"reset": seed} or {"step": [x, y, z, 0, 0, 0, grip]}, and answers with
one. Needs gym-hil and NumPy alone.
"""

import json
import os
import sys
from typing import Any

import gym_hil  # noqa: F401 - registers the environment
import gymnasium as gym
import numpy as np

NAME = "gym_hil/PandaPickCubeBase-v0"


def main() -> int:
    """Serve until the input ends."""
    # What libraries print must not get between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        environment = gym.make(NAME, random_block_position=True, disable_env_checker=True)
        for line in sys.stdin:
            answers.write(json.dumps(_answer(environment, json.loads(line))) + "\n")
            answers.flush()
        environment.close()
    return 0


def _answer(environment: Any, call: dict[str, Any]) -> dict[str, Any]:
    if "reset" in call:
        # The place of the cube is drawn from the global generator.
        np.random.seed(call["reset"])  # noqa: NPY002
        seen, reward, over, thrown = environment.reset(seed=call["reset"])[0], 0.0, False, False
    else:
        action = np.asarray(call["step"], np.float64)
        seen, reward, over, cut, _ = environment.step(action)
        thrown, over = bool(over and reward < 1.0), bool(over or cut)
    return {
        "tool": seen["agent_pos"][-3:].tolist(),
        "closed": float(seen["agent_pos"][-4]) / 255.0,
        "cube": seen["environment_state"].tolist(),
        "success": bool(reward >= 1.0),
        "thrown": thrown,
        "over": over,
    }


if __name__ == "__main__":
    sys.exit(main())
