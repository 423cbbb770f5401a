# SPDX-License-Identifier: Apache-2.0
"""The small flow-matching policy: Observation in, absolute chunk out. Knows no file and no
training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_policy.actions import ActionCodec
from hiors_policy.learnable import Row
from hiors_policy.network import FlowNetwork, NetworkSettings, Shapes
from hiors_policy.noise import Noise
from hiors_policy.observation import STATE_GROUPS, StateEncoder
from hiors_policy.policy import Array, PolicySpec, remaining
from hiors_policy.vision import shrink, stack_images


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """How a small policy is built.

    Attributes:
        kind: action space, "ee" or "joint". horizon: H. dt: [s].
        objects, cameras: what it looks at. features: groups of hiors_policy.observation.
        binary_gripper: grippers are sent fully open or fully closed.
    """

    kind: str = "ee"
    horizon: int = 16
    dt: float = 0.1
    objects: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    features: tuple[str, ...] = STATE_GROUPS
    binary_gripper: bool = True
    network: NetworkSettings = field(default_factory=NetworkSettings)


class FlowPolicy:
    """A Policy over a FlowNetwork. One instance serves one thread at a time."""

    def __init__(self, robot: RobotModel, settings: FlowSettings, seed: int = 0) -> None:
        self.robot, self.settings = robot, settings
        self.encoder = StateEncoder(robot, settings.objects, settings.features)
        self.codec = ActionCodec(robot, settings.kind)
        space = self.codec.space
        self._spec = PolicySpec(
            robot=robot.name,
            kind=space.kind,
            names=space.names,
            units=space.units,
            horizon=settings.horizon,
            dt=settings.dt,
            objects=settings.objects,
            cameras=settings.cameras,
        )
        shapes = Shapes(
            features=len(self.encoder.names),
            horizon=settings.horizon,
            actions=len(space.names),
            cameras=len(settings.cameras),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = FlowNetwork(shapes, settings.network)
        self.network.eval()
        self.noise = Noise(seed)

    @property
    def spec(self) -> PolicySpec:
        """The columns, the horizon and what an observation must have."""
        return self._spec

    def predict(
        self, observation: Observation, instruction: str = "", seed: int | None = None
    ) -> Array:
        """Return a chunk (H, A) of absolute actions; the instruction is not used: one network, one
        task.
        """
        return self.predict_batch([observation], [instruction], None if seed is None else [seed])[
            0
        ]

    def predict_batch(
        self,
        observations: Sequence[Observation],
        instructions: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
    ) -> Array:
        """Return chunks (B, H, A) of absolute actions."""
        del instructions  # One network, one task.
        chunks = self.sample(observations, seeds)
        return self.codec.close_or_open(chunks) if self.settings.binary_gripper else chunks

    def predict_after(
        self,
        observation: Observation,
        instruction: str,
        previous: NDArray[np.floating],
        delay: int,
        *,
        seed: int | None = None,
    ) -> Array:
        """Return a chunk (H, A) that goes on from the chunk in execution (see Learnable)."""
        del instruction  # One network, one task.
        rows = remaining(previous, delay, self._spec.horizon)
        base = self.codec.base(observation.position)
        known = torch.from_numpy(self.codec.encode(rows, base).astype(np.float32))
        steps = self.network.sample_after(
            torch.from_numpy(self.encoder.encode(observation)[None]),
            self._images([observation]),
            self._draw(1, None if seed is None else [seed]),
            known[None],
            delay,
        ).numpy()
        chunk = self.codec.decode(steps[0], base)
        return self.codec.close_or_open(chunk) if self.settings.binary_gripper else chunk

    def sample(
        self, observations: Sequence[Observation], seeds: Sequence[int] | None = None
    ) -> Array:
        """Return chunks (B, H, A) with grippers as the network gave them."""
        if not observations:
            return np.empty((0, self._spec.horizon, len(self._spec.names)))
        steps = self.network.sample(
            torch.from_numpy(np.stack([self.encoder.encode(o) for o in observations])),
            self._images(observations),
            self._draw(len(observations), seeds),
        ).numpy()
        bases = [self.codec.base(o.position) for o in observations]
        return np.stack([self.codec.decode(s, b) for s, b in zip(steps, bases, strict=True)])

    def prepare(self, observation: Observation, instruction: str) -> float:
        """Return 0: there is nothing to make ready."""
        del observation, instruction
        return 0.0

    def blank(self) -> Row:
        """Return a row of zeros: the shapes of every row."""
        size = self.settings.network.image_size
        return Row(
            state=np.zeros(len(self.encoder.names), np.float32),
            images=np.zeros((len(self._spec.cameras), size, size, 3), np.uint8),
            tokens=np.zeros(0, np.int32),
            actions=np.zeros((self._spec.horizon, len(self._spec.names)), np.float32),
        )

    def row(
        self, observation: Observation, instruction: str, actions: NDArray[np.floating]
    ) -> Row:
        """Return features, images and encoded actions (hiors_policy.actions), not normalised."""
        del instruction  # One network, one task.
        cameras, size = self._spec.cameras, self.settings.network.image_size
        images = stack_images(observation, cameras, size) if cameras else self.blank().images
        encoded = self.codec.encode(actions, self.codec.base(observation.position))
        return Row(
            state=self.encoder.encode(observation).astype(np.float32),
            images=images,
            tokens=np.zeros(0, np.int32),
            actions=encoded.astype(np.float32),
        )

    def shrink(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image (h, w, 3) as the network sees it (size, size, 3), by area."""
        return shrink(image, self.settings.network.image_size)

    @property
    def side(self) -> int:
        """Pixels a side of the images that the network sees."""
        return self.settings.network.image_size

    def twin(self) -> "FlowPolicy":
        """Return a policy of the same shape with weights of its own."""
        return FlowPolicy(self.robot, self.settings)

    def _images(self, observations: Sequence[Observation]) -> torch.Tensor | None:
        cameras = self._spec.cameras
        if not cameras:
            return None
        size = self.settings.network.image_size
        return torch.from_numpy(np.stack([stack_images(o, cameras, size) for o in observations]))

    def _draw(self, batch: int, seeds: Sequence[int] | None) -> torch.Tensor:
        shape = (self._spec.horizon, len(self._spec.names))
        return torch.from_numpy(self.noise.draw(batch, shape, seeds))
