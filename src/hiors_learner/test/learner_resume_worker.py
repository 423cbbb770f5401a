# SPDX-License-Identifier: Apache-2.0
"""Run by test_learner_engine in a process of its own: trains straight on, and with a stop in
between; prints both.
"""

import json
import sys
from pathlib import Path

from learner_scene import SMALL, policy, samples

from hiors_learner.config import parse
from hiors_learner.learner import Learner
from hiors_learner.settings import LearnerSettings
from hiors_learner.team import Team, start_team
from hiors_learner.training_set import DEMONSTRATION

STEPS, HALF = 12, 6


def learner(team: Team) -> Learner:
    made = Learner(policy(), parse(LearnerSettings, SMALL, ""), team, normalized=False)
    made.add(DEMONSTRATION, samples(20))
    return made


def weights(one: Learner) -> list[float]:
    states = (one.policy.network.state_dict(), one.engine.average.state())
    return [float(t.double().abs().sum()) for state in states for t in state.values()]


def main(folder: Path) -> None:
    team = start_team()
    straight = learner(team)
    straight_losses = [straight.step() for _ in range(STEPS)]

    before = learner(team)
    losses = [before.step() for _ in range(HALF)]
    before.engine.save(folder)
    before.step()
    after = learner(team)
    found_nothing = after.engine.resume(folder / "none")
    resumed = after.engine.resume(folder)
    after.resumed()
    step = after.engine.steps
    losses += [after.step() for _ in range(STEPS - HALF)]

    for _ in range(3):
        after.step()
        after.engine.save(folder)
    print(
        json.dumps(
            {
                "straight": {"losses": straight_losses, "weights": weights(straight)},
                "stopped": {"losses": losses},
                "found_nothing": found_nothing,
                "resumed": resumed,
                "step": step,
                "tags": sorted(p.name for p in folder.glob("step*")),
            }
        )
    )
    team.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
