# SPDX-License-Identifier: Apache-2.0
"""How often similar starts succeed, with a lower confidence bound: keeps lucky successes of a
stochastic environment from passing for skill. Pure functions; knows no episode.
"""

import math
from collections.abc import Iterable, Sequence

Start = tuple[float, ...]
Past = tuple[Start, float]
"""Where an episode began and its return R(τ)."""


def similar_returns(start: Start, past: Iterable[Past], radius: float) -> tuple[float, ...]:
    """Return the returns of the episodes that began within ``radius`` of ``start`` (Euclidean, in
    the units of the starts), oldest first. Starts of another length are never similar.
    """
    return tuple(
        value
        for other, value in past
        if len(other) == len(start) and math.dist(other, start) <= radius
    )


def lower_bound(successes: int, episodes: int, deviations: float) -> float:
    """Return the lower end of Wilson's interval for a success rate; 0 without episodes.

    Args:
        deviations: z, such as 1 for 84 % or 1.645 for 95 % one-sided confidence.
    """
    if episodes == 0:
        return 0.0
    rate, z = successes / episodes, deviations
    middle = rate + z * z / (2.0 * episodes)
    spread = z * math.sqrt(rate * (1.0 - rate) / episodes + z * z / (4.0 * episodes**2))
    return max(0.0, (middle - spread) / (1.0 + z * z / episodes))


def luck(
    returns: Sequence[float], level: float, *, least_rate: float, deviations: float, grace: int
) -> str:
    """Return why a success among similar starts may be luck, or "" when it may count.

    Args:
        returns: of similar starts, this episode's last. level: m, a success reaches it.
        least_rate: that the lower bound must reach. grace: as many episodes are believed before
            there are enough to tell.
    """
    episodes = len(returns)
    successes = sum(value >= level for value in returns)
    bound = lower_bound(successes, episodes, deviations)
    if episodes <= grace or bound >= least_rate:
        return ""
    return (
        f"{successes} of {episodes} similar starts succeed: the lower bound {bound:.2f} of the"
        f" rate is below {least_rate:g}"
    )
