# SPDX-License-Identifier: Apache-2.0
"""What the keys of a finished run mean, in results.json and in runs/*.json."""

KEYS = {
    "task": "task file",
    "arm": "what was compared: a method, or the method without one of its parts",
    "seed": "of scenes, operator, weights and noise",
    "success": "k successes of n evaluations within the task's time limit",
    "time_limit": "of the task [s]",
    "within": "the same for several time limits: seconds, k, n",
    "spatial": "success over a grid of starts: x, y [m], inside the trained area, k, n",
    "recovery": "success after a disturbance: probe, seconds, k, n",
    "frames": "environment steps that were used",
    "human_frames": "those in which the person drove",
    "steps": "optimiser steps",
    "episodes": "online episodes",
    "accepted": "of them, accepted",
    "successes": "of them, successful",
    "transitions": "logged in the accepted episodes",
    "rows": "of them, trained on: what passes the filters (every frame where values are learned)",
    "rejected": "most common reasons, and how often each",
    "status": "finished, or what went wrong",
    "beside": "success at a second task of the same policy: task, k, n",
    "commit": "of the sources that made it",
    "curve": "points of the learning curve: frames, human_frames, steps, k, n",
}
