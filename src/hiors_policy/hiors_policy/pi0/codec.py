# SPDX-License-Identifier: Apache-2.0
"""Between a robot's observations and actions and pi0's tensors. Knows no weights.

In openpi's order: absolute actions become offsets from the measured state (grippers stay
absolute), then both are scaled, then padded to the network's columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hiors_core.action_space import ActionMapper, action_space, unwrap_actions
from hiors_core.errors import InvalidValue, UnknownName
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_policy.learnable import Row
from hiors_policy.pi0.architecture import Pi0Config
from hiors_policy.pi0.images import camera_tensors, resize_with_padding
from hiors_policy.pi0.inputs import Pi0Inputs
from hiors_policy.pi0.normalization import Normalizer, Scale
from hiors_policy.pi0.prompt import Tokenizer, tokenize

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pi0Settings:
    """How a robot is shown to pi0.

    Attributes:
        kind: action space, "joint" or "ee"; the state has the same columns.
        dt: time between rows of a chunk [s].
        cameras: names in the order of pi0's places: outer view, left wrist, right wrist. Robots
            with fewer leave the last ones out; the order must be that of training.
        relative: actions are offsets from the measured state at the time of the observation.
        steps: Euler steps in inference.
    """

    kind: str = "joint"
    dt: float = 0.05
    cameras: tuple[str, ...] = ()
    relative: bool = True
    steps: int = 10


class Pi0Codec:
    """Encodes observations and actions, decodes chunks. One instance serves one thread."""

    def __init__(
        self,
        robot: RobotModel,
        settings: Pi0Settings,
        config: Pi0Config,
        normalizer: Normalizer,
        tokenizer: Tokenizer,
    ) -> None:
        self.space = action_space(robot, settings.kind)
        self.settings, self.normalizer = settings, normalizer
        self._config, self._tokenizer = config, tokenizer
        self._mapper = ActionMapper(robot)
        self._kept = np.array([unit == "1" for unit in self.space.units])
        columns = len(self.space.names)
        for what, scale in (("state", normalizer.state), ("actions", normalizer.action)):
            if len(scale.mean) != columns:
                raise InvalidValue(
                    f"The statistics of the {what} have {len(scale.mean)} columns, the robot "
                    f"'{robot.name}' has {columns} ({', '.join(self.space.names)}): fit them on "
                    "this robot's episodes, or give those of the matching asset"
                )

    def state(self, observation: Observation) -> Array:
        """Return the measured state (A,) in the columns of the action space."""
        position = np.asarray(observation.position, np.float64)
        state = position if self.space.kind == "joint" else self._mapper.joint_to_ee(position)
        if not np.all(np.isfinite(state)):
            bad = self.space.names[int(np.argmin(np.isfinite(state)))]
            raise InvalidValue(f"The measured {bad} is not a finite number")
        return state

    def inputs(
        self, observations: Sequence[Observation], instructions: Sequence[str]
    ) -> Pi0Inputs:
        """Return the network's inputs for B observations and their instructions."""
        if len(instructions) != len(observations):
            raise InvalidValue(
                f"got {len(instructions)} instructions for {len(observations)} observations"
            )
        config = self._config
        seen = [self._cameras(observation) for observation in observations]
        tokens, mask = tokenize(self._tokenizer, instructions, config.prompt_tokens, config.vocab)
        states = np.stack([self.state(observation) for observation in observations])
        return Pi0Inputs(
            images=torch.stack([pixels for pixels, _ in seen]),
            image_mask=torch.stack([present for _, present in seen]),
            tokens=tokens,
            token_mask=mask,
            state=torch.from_numpy(self.normalizer.scale_state(states, config.state_dim)),
        )

    def row(
        self, observation: Observation, instruction: str, actions: NDArray[np.floating]
    ) -> Row:
        """Return what the network is trained on: ``inputs`` and ``encode_actions`` of one
        observation as arrays, images still uint8.
        """
        config = self._config
        tokens, _ = tokenize(self._tokenizer, [instruction], config.prompt_tokens, config.vocab)
        images = np.zeros((0, config.image_size, config.image_size, 3), np.uint8)
        if self.settings.cameras:
            seen = (self._seen(observation, name) for name in self.settings.cameras)
            images = np.stack([resize_with_padding(image, config.image_size) for image in seen])
        return Row(
            state=self.normalizer.scale_state(self.state(observation), config.state_dim),
            images=images,
            tokens=tokens[0].numpy().astype(np.int32),
            actions=self.encode_actions(actions, observation).numpy(),
        )

    def encode_actions(self, actions: NDArray[np.floating], observation: Observation) -> Tensor:
        """Return (H, action_dim) float32 for absolute actions (H, A)."""
        rows = self.offsets(actions, observation)
        return torch.from_numpy(self.normalizer.scale_actions(rows, self._config.action_dim))

    def decode_actions(self, scaled: Tensor, observation: Observation) -> Array:
        """Return absolute actions (H, A) for the network's (H, action_dim)."""
        rows = self.normalizer.unscale_actions(scaled.cpu().numpy())
        if self.settings.relative:
            rows = rows + np.where(self._kept, 0.0, self.state(observation))
        return rows

    def offsets(self, actions: NDArray[np.floating], observation: Observation) -> Array:
        """Return (H, A) actions as the network learns them, before scaling."""
        rows = np.array(actions, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.space.names):
            raise InvalidValue(
                f"actions must be (H, {len(self.space.names)}) for "
                f"{', '.join(self.space.names)}, got {rows.shape}"
            )
        state = self.state(observation)
        if self.space.kind == "ee":
            rows = unwrap_actions(rows, state)
        return rows - np.where(self._kept, 0.0, state) if self.settings.relative else rows

    def _cameras(self, observation: Observation) -> tuple[Tensor, Tensor]:
        for name in self.settings.cameras:
            self._seen(observation, name)
        return camera_tensors(observation.images, self.settings.cameras, self._config.image_size)

    @staticmethod
    def _seen(observation: Observation, camera: str) -> NDArray[np.uint8]:
        if camera not in observation.images:
            raise UnknownName("camera", camera, observation.images, "pi0 needs its image.")
        return observation.images[camera]


def fit_normalizer(
    robot: RobotModel,
    settings: Pi0Settings,
    samples: Sequence[tuple[Observation, NDArray[np.floating]]],
) -> Normalizer:
    """Fit statistics on pairs of an observation and its absolute actions (H, A)."""
    columns = len(action_space(robot, settings.kind).names)
    plain = Normalizer.identity(columns, columns)
    codec = Pi0Codec(robot, settings, Pi0Config(), plain, _NoTokenizer())
    states = [codec.state(observation) for observation, _ in samples]
    rows = [codec.offsets(actions, observation) for observation, actions in samples]
    return Normalizer(state=Scale.fit(states), action=Scale.fit(np.concatenate(rows)))


class _NoTokenizer:
    def encode(self, text: str) -> list[int]:
        raise InvalidValue(f"No tokenizer for {text!r}")
