# SPDX-License-Identifier: Apache-2.0
"""Run by test_learner_world as one of some ranks: resumes a state if there is one, trains so many
steps, saves, and prints what rank 0 knows.
"""

import json
import sys
from pathlib import Path

import torch
from learner_scene import SMALL, policy, robot, samples

from hiors_learner.config import parse
from hiors_learner.data import Samples, empty
from hiors_learner.learner import Learner
from hiors_learner.losses import tune
from hiors_learner.settings import LearnerSettings
from hiors_learner.team import start_team
from hiors_learner.training_set import DEMONSTRATION


def tiny_pi0(settings: LearnerSettings):
    """Return a tiny pi0 with adapters to learn, and random rows in its shapes."""
    from hiors_policy.pi0.tiny import tiny_policy

    made = tiny_policy(robot(), ("top",))
    tune(made, settings.tuning)
    generator = torch.Generator().manual_seed(1)
    rows = empty(made, 20)
    for array in (rows.states, rows.actions):
        array[:] = torch.randn(array.shape, generator=generator).numpy()
    rows.images[:] = torch.randint(0, 256, rows.images.shape, generator=generator).numpy()
    rows.tokens[:, 0], rows.mask[:], rows.weight[:] = 2, True, 1.0
    return made, rows


def main(folder: Path, kind: str, steps: int) -> None:
    team = start_team()
    changes = {"tuning": {"mode": "lora"}, "optimizer": {"learning_rate": 1e-2, "warm_up": 2}}
    settings = parse(LearnerSettings, SMALL | changes, "")
    torch.manual_seed(0)
    made: tuple[object, Samples] = (
        (policy(), samples(20)) if kind == "small" else tiny_pi0(settings)
    )
    learner = Learner(made[0], settings, team, normalized=kind != "small")
    learner.add(DEMONSTRATION, made[1])
    if learner.engine.resume(folder):
        learner.resumed()
    losses = [learner.step() for _ in range(steps)]
    total = torch.tensor(losses)
    torch.distributed.all_reduce(total)
    learner.save(folder)
    if team.leads:
        states = (learner.policy.network.state_dict(), learner.engine.average.state())
        weights = [float(t.double().abs().sum()) for s in states for t in s.values()]
        result = {"step": learner.engine.steps, "losses": (total / team.world).tolist()}
        print(json.dumps({**result, "weights": weights}), flush=True)
    team.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
