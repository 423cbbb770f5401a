# SPDX-License-Identifier: Apache-2.0
"""What the keys of a demo's summary.json mean."""

KEYS = {
    "seed": "of scenes, operator and weights",
    "policy": "what the policy saw: state or vision",
    "episodes": "online episodes that were run",
    "accepted_ids": "ids of the accepted episodes",
    "rejected": "id of each rejected episode, and why",
    "learner_ids": "ids in the learner's ledger; the same as accepted_ids when nothing was lost",
    "start_success": "policy alone before: k successes of n fresh scenes",
    "final_success": "policy alone after, on the same scenes",
    "first20": "online success of the first 20 episodes, k of n",
    "last20": "online success of the last 20 episodes, k of n",
    "interventions": "of each online episode",
    "human_fraction": "of each online episode: share of the control ticks that the person had",
    "outcomes": "of each online episode: success, failure, none",
    "stage_s": "duration of each stage [s]",
    "wall_s": "duration of all [s]",
    "control_period_ms": "time between two commands: p50, p99, max [ms], and how many ticks",
    "hot_swaps": "checkpoints that took over while the robot worked",
    "largest_gap_at_hot_swaps_ms": "longest time between two commands around a hot-swap [ms]",
    "enabled_again": "times the robot was enabled again after an episode could not be run",
    "missed_ticks": "control ticks that began more than half a period late",
}
