# SPDX-License-Identifier: Apache-2.0
"""HIL-SERL's grasp critic: a double DQN over what a gripper can be told, beside the continuous
actions. Knows no buffer.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hiors_learner.baselines.networks import Ensemble, follow
from hiors_learner.baselines.replay import Steps


class GraspCritic(nn.Module):
    """Q(s, g) for every gripper and level: 2 levels are closed, open; 3 are close, hold, open."""

    def __init__(self, features: int, hidden: Sequence[int], grippers: int, levels: int) -> None:
        super().__init__()
        self._shape = (grippers, levels)
        self.online = Ensemble(1, features, hidden, grippers * levels)
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def choose(self, state: Tensor) -> Tensor:
        """Return the best command (B, G) in 0 .. 1 of every gripper."""
        levels = self._shape[1]
        return self._values(self.online, state).argmax(-1) / (levels - 1)

    def loss(
        self,
        steps: Steps,
        state: Tensor,
        after: Tensor,
        gripper: Sequence[int],
        *,
        discount: float,
        penalty: float,
    ) -> Tensor:
        """Return the TD error; a change of the command costs ``penalty``.

        Args:
            state, after: normalised states (B, D). gripper: columns of the actions.
        """
        told, before = steps.actions[:, 0, gripper], steps.previous[:, gripper]
        chosen = (told * (self._shape[1] - 1)).round().long()
        cost = penalty * ((told - before).abs() > 0.5)
        with torch.no_grad():
            best = self._values(self.online, after).argmax(-1, keepdim=True)
            later = self._values(self.target, after).gather(-1, best)[..., 0]
            goal = steps.returns[:, None] - cost + discount * steps.continues[:, None] * later
        value = self._values(self.online, state).gather(-1, chosen[..., None])[..., 0]
        return (value - goal).square().mean()

    def follow(self, tau: float) -> None:
        """Move the target network."""
        follow(self.target, self.online, tau)

    def _values(self, network: Ensemble, state: Tensor) -> Tensor:
        return network(state)[0].view(-1, *self._shape)
