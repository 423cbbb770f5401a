# SPDX-License-Identifier: Apache-2.0
"""Every value of the learner that a person may set, with its check. Knows no file."""

from dataclasses import dataclass, field

from hiors_core.action_space import KINDS
from hiors_core.errors import InvalidValue, UnknownName
from hiors_policy.flow import FLOW_TIMES
from hiors_policy.network import HEADS
from hiors_policy.observation import STATE_GROUPS

MODES = ("full", "vision_frozen", "expert_only", "lora")
"""As hiors_policy.pi0.MODES, without the import of transformers."""
SCHEDULES = ("constant", "cosine", "cyclical")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """The policy that is built when none is there to start from.

    Attributes:
        kind: action space. horizon: H. dt: between rows [s].
        features: groups of hiors_policy.observation, for a policy on object poses.
        cameras: what a policy on images sees. image_size: side of those images [pixels].
        binary_gripper: grippers are sent fully open or fully closed.
        head: "flow", "diffusion" or "token". width, blocks, euler_steps: of the network.
    """

    kind: str = "ee"
    horizon: int = 16
    dt: float = 0.1
    features: tuple[str, ...] = STATE_GROUPS
    cameras: tuple[str, ...] = ("top", "left_wrist")
    image_size: int = 64
    binary_gripper: bool = True
    head: str = "flow"
    width: int = 192
    blocks: int = 3
    euler_steps: int = 6

    def __post_init__(self) -> None:
        one_of("policy.kind", self.kind, KINDS)
        one_of("policy.head", self.head, tuple(HEADS))
        within("policy.horizon", self.horizon, 1, 1000)
        within("policy.dt", self.dt, 0.002, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """What a gradient step sees.

    Attributes:
        batch_size: transitions in a step, over all ranks.
        online_ratio: share of accepted online transitions in a batch; demonstrations are the rest.
        by_size: several robots or tasks share the online part of a batch as (transitions of each)
            to this power: 1 by size, 0 equally; between, a newcomer counts without being overfit.
        min_transitions: the learner waits for so many.
        lead_up: of the policy's motion before a person took over that is left out [s].
    """

    batch_size: int = 128
    online_ratio: float = 0.5
    by_size: float = 0.5
    min_transitions: int = 50
    lead_up: float = 0.0

    def __post_init__(self) -> None:
        within("data.batch_size", self.batch_size, 1, 65536)
        within("data.online_ratio", self.online_ratio, 0.0, 1.0)
        within("data.by_size", self.by_size, 0.0, 1.0)
        within("data.min_transitions", self.min_transitions, 1, 10**9)
        within("data.lead_up", self.lead_up, 0.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """Eq. 5.

    Attributes:
        samples: K draws of (u, x⁰) for each observation.
        flow_times: how u is drawn, "uniform" (the paper) or "beta" (as π0 trains).
    """

    samples: int = 1
    flow_times: str = "uniform"

    def __post_init__(self) -> None:
        within("loss.samples", self.samples, 1, 64)
        one_of("loss.flow_times", self.flow_times, FLOW_TIMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSettings:
    """Which weights of a pi0 learn; the small policy always learns whole.

    Attributes:
        mode: "full", "vision_frozen", "expert_only" or "lora" (hiors_policy.pi0.tuning).
        lora_rank, lora_expert_rank: of the adapters in the language model and the action expert.
        gradient_checkpointing: compute layers again in the backward pass instead of keeping them.
    """

    mode: str = "expert_only"
    lora_rank: int = 16
    lora_expert_rank: int = 32
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        one_of("tuning.mode", self.mode, MODES)
        within("tuning.lora_rank", self.lora_rank, 1, 1024)
        within("tuning.lora_expert_rank", self.lora_expert_rank, 1, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """AdamW, its schedule and the moving average.

    Attributes:
        learning_rate: at the top of the schedule. floor: lowest share of it.
        schedule: "constant", "cosine" or "cyclical". warm_up: linear, in steps.
        period: steps of a cosine, or of one cycle. weight_decay, beta1, beta2: of AdamW.
        clip: largest norm of the gradient. average: rate of the moving average of the weights.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.99
    clip: float = 1.0
    average: float = 0.01
    schedule: str = "constant"
    warm_up: int = 50
    period: int = 2000
    floor: float = 0.1

    def __post_init__(self) -> None:
        within("optimizer.learning_rate", self.learning_rate, 1e-8, 1.0)
        within("optimizer.weight_decay", self.weight_decay, 0.0, 1.0)
        within("optimizer.beta1", self.beta1, 0.0, 0.9999)
        within("optimizer.beta2", self.beta2, 0.0, 0.99999)
        within("optimizer.clip", self.clip, 1e-6, 1e6)
        within("optimizer.average", self.average, 1e-6, 1.0)
        one_of("optimizer.schedule", self.schedule, SCHEDULES)
        within("optimizer.warm_up", self.warm_up, 0, 10**9)
        within("optimizer.period", self.period, 1, 10**9)
        within("optimizer.floor", self.floor, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PacingSettings:
    """How many gradient steps the data may pay for.

    Attributes:
        utd: gradient steps for each online transition taken in (update-to-data ratio).
        warm_up_steps: steps that need no online transition.
    """

    utd: float = 1.0
    warm_up_steps: int = 0

    def __post_init__(self) -> None:
        within("pacing.utd", self.utd, 0.0, 1000.0)
        within("pacing.warm_up_steps", self.warm_up_steps, 0, 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """How often what is written.

    Attributes:
        publish_every: steps between checkpoints for the policy. publish_paced: steps that make a
            checkpoint worth while when the data pay for no more.
        save_every: steps between states to resume from. keep: how many of those stay.
        checkpoint_limit_gib: size above which the oldest checkpoints are deleted, but for the
            three newest [GiB]; 0: never.
        log_every: steps that one line of metrics.jsonl sums up.
        tensorboard: write the same as TensorBoard's events, into learner/tensorboard of the run.
        peak_tflops: what one device can do in the precision of the training [10¹² FLOP/s], for
            the utilisation; 0 when not known.
    """

    publish_every: int = 100
    publish_paced: int = 20
    save_every: int = 500
    keep: int = 2
    checkpoint_limit_gib: float = 50.0
    log_every: int = 20
    tensorboard: bool = True
    peak_tflops: float = 0.0

    def __post_init__(self) -> None:
        for name in ("publish_every", "publish_paced", "save_every", "keep", "log_every"):
            within(f"output.{name}", getattr(self, name), 1, 10**9)
        within("output.checkpoint_limit_gib", self.checkpoint_limit_gib, 0.0, 1e6)
        within("output.peak_tflops", self.peak_tflops, 0.0, 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    """All of it, a section each.

    Attributes:
        seed: of weights, minibatches and noise.
        policy: what is built when there is none to start from. data: what a gradient step sees.
        loss: eq. 5. tuning: which weights of π0 learn.
        optimizer: AdamW, its schedule, the moving average.
        pacing: how far training may run ahead of the data. output: how often what is written.
    """

    seed: int = 0
    policy: PolicySettings = field(default_factory=PolicySettings)
    data: DataSettings = field(default_factory=DataSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    pacing: PacingSettings = field(default_factory=PacingSettings)
    output: OutputSettings = field(default_factory=OutputSettings)


def within(name: str, value: float, low: float, high: float) -> None:
    """Raise InvalidValue unless the value is inside the bounds."""
    if not low <= value <= high:
        raise InvalidValue(f"{name} must be within {low} .. {high}, got {value}")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise UnknownName unless the value is one of those allowed."""
    if value not in allowed:
        raise UnknownName(f"value of {name}", value, allowed)
