# SPDX-License-Identifier: Apache-2.0
"""pi0 as a policy of hiors: Observation and instruction in, absolute chunk out."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hiors_core.errors import InvalidValue
from hiors_core.observation import Observation
from hiors_core.robot import RobotModel
from hiors_policy.learnable import Row
from hiors_policy.noise import Noise
from hiors_policy.pi0.architecture import Pi0Config
from hiors_policy.pi0.codec import Pi0Codec, Pi0Settings
from hiors_policy.pi0.guidance import Guidance
from hiors_policy.pi0.images import resize_with_padding
from hiors_policy.pi0.inputs import Pi0Inputs
from hiors_policy.pi0.metadata import load_normalizer
from hiors_policy.pi0.model import Pi0
from hiors_policy.pi0.normalization import Normalizer
from hiors_policy.pi0.prompt import Tokenizer, load_tokenizer
from hiors_policy.pi0.sampler import FastSampler
from hiors_policy.pi0.weights import from_tensors, load, to_tensors
from hiors_policy.policy import PolicySpec, remaining

Array = NDArray[np.float64]


class Pi0Policy:
    """A Policy (hiors_policy.policy) over pi0. One instance serves one thread at a time.

    ``predict`` runs the plain network until ``prepare`` has been called; from then on it runs a
    FastSampler, whose weights are those at the time of the call.
    """

    def __init__(
        self,
        robot: RobotModel,
        model: Pi0,
        settings: Pi0Settings,
        normalizer: Normalizer,
        tokenizer: Tokenizer,
    ) -> None:
        self.robot, self.model, self.settings = robot, model, settings
        self.tokenizer = tokenizer
        self.codec = Pi0Codec(robot, settings, model.config, normalizer, tokenizer)
        space = self.codec.space
        self._spec = PolicySpec(
            robot=robot.name,
            kind=space.kind,
            names=space.names,
            units=space.units,
            horizon=model.config.horizon,
            dt=settings.dt,
            cameras=settings.cameras,
        )
        self.noise = Noise()
        self._fast: FastSampler | None = None

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        robot: RobotModel,
        settings: Pi0Settings,
        *,
        normalizer: Normalizer | None = None,
        tokenizer: Tokenizer | None = None,
        asset: str | None = None,
        horizon: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> "Pi0Policy":
        """Build a policy from a published or converted checkpoint (see ``pi0.load``).

        Args:
            normalizer: statistics of this robot, when the checkpoint has none or another's.
            horizon: rows of a chunk, when not those of the checkpoint.
        """
        sizes = {} if horizon is None else {"horizon": horizon}
        model = load(path, dtype=dtype, device=device, sizes=sizes)
        scales = normalizer or load_normalizer(path, asset)
        if scales is None:
            raise InvalidValue(
                f"{path} has no normalisation statistics: fit them on this robot's episodes "
                "(pi0.codec.fit_normalizer) and give them as 'normalizer'"
            )
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        words = tokenizer or load_tokenizer(checkpoint=folder)
        return cls(robot, model, settings, scales, words)

    @property
    def network(self) -> Pi0:
        """The network, for the learner."""
        return self.model

    @property
    def spec(self) -> PolicySpec:
        """The columns, the horizon and what an observation must have."""
        return self._spec

    def prepare(
        self, observation: Observation, instruction: str, mode: str = "", steps: int = 0
    ) -> float:
        """Compile, capture and warm up for this robot and instruction; return the seconds taken.

        Call it before the robot is armed. Another instruction of another length runs the plain
        network until it is prepared too.

        Args:
            mode: one of ``sampler.MODES``; "" is "graph" on a GPU, else "eager".
            steps: Euler steps, or 0 for those of the settings.
        """
        inputs = self.codec.inputs([observation], [instruction])
        mode = mode or ("graph" if self.model.device.type == "cuda" else "eager")
        fast = FastSampler(self.model, inputs, steps=steps or self.settings.steps, mode=mode)
        took = fast.warm_up()
        self._fast = fast
        return took

    def predict(
        self, observation: Observation, instruction: str = "", seed: int | None = None
    ) -> Array:
        """Return a chunk (H, A) of absolute actions in the units of the spec."""
        seeds = None if seed is None else [seed]
        return self.predict_batch([observation], [instruction], seeds)[0]

    def predict_batch(
        self,
        observations: Sequence[Observation],
        instructions: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
    ) -> Array:
        """Return chunks (B, H, A) for B observations at once."""
        if not observations:
            return np.empty((0, self._spec.horizon, len(self._spec.names)))
        inputs = self.codec.inputs(observations, instructions or [""] * len(observations))
        noise = self._draw(len(observations), seeds)
        if self._fast is not None and self._fast.accepts(inputs):
            scaled = self._fast.sample(inputs, noise)
        else:
            scaled = self._plain(inputs, noise)
        return self._decode(scaled, observations)

    def predict_after(
        self,
        observation: Observation,
        instruction: str,
        previous: NDArray[np.floating],
        delay: int,
        *,
        trained: bool = False,
        seed: int | None = None,
    ) -> Array:
        """Return a chunk (H, A) that goes on from the chunk in execution (arXiv 2506.07339).

        Args:
            previous: (n, A) what is left of that chunk, absolute; row 0 is for the time of row 0
                of the new chunk, and n >= delay.
            delay: rows that will have been executed when the new chunk arrives.
            trained: the network was trained with ``delay`` (arXiv 2512.05964): then the rows are
                simply given to it; otherwise each step is guided by a backward pass.
        """
        rows = remaining(previous, delay, self._spec.horizon)
        inputs = self.codec.inputs([observation], [instruction])
        noise = self._draw(1, None if seed is None else [seed])
        known = self.codec.encode_actions(rows, observation)[None].to(self.model.device)
        if trained:
            if self._fast is not None and self._fast.accepts(inputs):
                scaled = self._fast.sample(inputs, noise, known[:, :delay])
            else:
                scaled = self._plain(inputs, noise, fixed=known[:, :delay])
            return self._decode(scaled, [observation])[0]
        padded = torch.zeros(1, self._spec.horizon, known.shape[2], device=known.device)
        padded[:, : known.shape[1]] = known
        guidance = Guidance(previous=padded, delay=delay, overlap=len(rows))
        scaled = self._plain(inputs, noise, guidance=guidance)
        scaled[:, :delay] = known[:, :delay]
        return self._decode(scaled, [observation])[0]

    def loss(
        self,
        observations: Sequence[Observation],
        instructions: Sequence[str],
        actions: NDArray[np.floating],
        mask: NDArray[np.bool_] | None = None,
        **options: Any,
    ) -> Tensor:
        """Return the training loss for absolute actions (B, H, A); options as in ``Pi0.loss``.

        Only the robot's own columns are counted, not the padding.
        """
        inputs = self.codec.inputs(observations, instructions).to(self.model.device)
        pairs = zip(actions, observations, strict=True)
        targets = torch.stack([self.codec.encode_actions(rows, o) for rows, o in pairs])
        valid = None if mask is None else torch.from_numpy(mask).to(self.model.device)
        columns = len(self._spec.names)
        return self.model.loss(
            inputs, targets.to(self.model.device), mask=valid, columns=columns, **options
        )

    def blank(self) -> Row:
        """Return a row of zeros: the shapes of every row."""
        config, size = self.model.config, self.model.config.image_size
        return Row(
            state=np.zeros(config.state_dim, np.float32),
            images=np.zeros((len(self._spec.cameras), size, size, 3), np.uint8),
            tokens=np.zeros(config.prompt_tokens, np.int32),
            actions=np.zeros((config.horizon, config.action_dim), np.float32),
        )

    def row(
        self, observation: Observation, instruction: str, actions: NDArray[np.floating]
    ) -> Row:
        """Return scaled and padded state and actions, framed images and tokens."""
        return self.codec.row(observation, instruction, actions)

    def shrink(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image (h, w, 3) framed as the network sees it (size, size, 3)."""
        return resize_with_padding(image, self.model.config.image_size)

    @property
    def side(self) -> int:
        """Return 0: images are resized bilinearly."""
        return 0

    def twin(self) -> "Pi0Policy":
        """Return a policy with its own copy of the weights that learn; frozen ones are shared."""
        frozen = [t for t in self.model.parameters() if not t.requires_grad]
        model = copy.deepcopy(self.model, {id(tensor): tensor for tensor in frozen})
        return Pi0Policy(self.robot, model, self.settings, self.codec.normalizer, self.tokenizer)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under openpi's names, LoRA merged: what a checkpoint stores."""
        return to_tensors(self.model)

    def description(self) -> dict[str, Any]:
        """Return, as plain JSON values, all but the weights that ``restore`` needs."""
        return {
            "architecture": self.model.config.as_dict(),
            "settings": asdict(self.settings),
            "normalization": self.codec.normalizer.as_dict(),
        }

    @classmethod
    def restore(
        cls,
        robot: RobotModel,
        description: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        tokenizer: Tokenizer,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> "Pi0Policy":
        """Build a policy from ``description`` and ``tensors``; the same checks as ``pi0.load``."""
        config = Pi0Config().changed(description["architecture"])
        settings = dict(description["settings"])
        settings["cameras"] = tuple(settings["cameras"])
        model = from_tensors(config, tensors, dtype).to(device)
        scales = Normalizer.from_dict(description["normalization"])
        return cls(robot, model, Pi0Settings(**settings), scales, tokenizer)

    def _plain(self, inputs: Pi0Inputs, noise: Tensor, **options: Any) -> Tensor:
        here = inputs.to(self.model.device)
        return self.model.sample(here, noise=noise, steps=self.settings.steps, **options)

    def _decode(self, scaled: Tensor, observations: Sequence[Observation]) -> Array:
        pairs = zip(scaled, observations, strict=True)
        chunks = np.stack([self.codec.decode_actions(rows, o) for rows, o in pairs])
        if not np.all(np.isfinite(chunks)):
            raise InvalidValue("pi0 gave actions that are not finite numbers")
        return chunks

    def _draw(self, batch: int, seeds: Sequence[int] | None) -> Tensor:
        shape = (self.model.config.horizon, self.model.config.action_dim)
        return torch.from_numpy(self.noise.draw(batch, shape, seeds))
