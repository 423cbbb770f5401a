# SPDX-License-Identifier: Apache-2.0
"""What is compared: each arm is Hi-ORS with one thing changed, or another method. Knows no
simulator and no learner.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hiors_core.errors import InvalidValue, UnknownName

REFERENCE = "hi_ors"
"""The arm that others are compared with and that behaviour cloning takes its budget from."""
COMPARISON, ABLATION, EXPERIMENT, EXTRA = GROUPS = (
    "comparison", "ablation", "experiment", "extra",
)  # fmt: skip
LEFT_OUT = (ABLATION, EXPERIMENT)
"""Groups whose arms stand in tables beside another arm, without a curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One row of the tables. What is not said is as in Hi-ORS.

    Attributes:
        title: how it is called in tables and pictures.
        group: COMPARISON; ABLATION; EXPERIMENT: beyond the paper, when it is asked for; EXTRA:
            compared only when it is asked for, as it is dear.
        against: the arm that an ablation or experiment differs from in one thing.
        task: the only one that it is run on; any when empty.
        beside: a second task that the same policy learns by turns, on a budget of its own.
        method: agent that learns, see hiors_bench.methods.
        head: how the policy makes a chunk, see hiors_policy.network; as in the learner's file when
            empty.
        data: "online": collects while it learns; "initial", "human_frames", "frames": behaviour
            cloning, on the initial demonstrations alone, or beyond them on as many frames as the
            reference had of the person, or in all.
        watched: share of the episodes that the person watches: "usual", "seldom" or "never".
        outcome_filter: eq. 3. noop_filter, short_filter: section III-D.
        lead_ups: whether what the policy did before a person took over is kept, as in the paper.
        rate: of logging, eq. 6: "varied"; "low", "high": the same for policy and person.
        schedule: of the learning rate.
        reward: who judges an episode: "human" or "learned".
        wrong: share of wrong labels. slips: whether the label button is hit by mistake, soon after
            the start.
        second_look: whether the person judges again what a learned reward sees otherwise.
        rule: schedule of m in eq. 3.
        probes: whether recovery, starts on a grid and long time limits are measured, too.
    """

    title: str
    group: str = ABLATION
    against: str = REFERENCE
    task: str = ""
    beside: str = ""
    method: str = "hi_ors"
    head: str = ""
    data: str = "online"
    watched: str = "usual"
    outcome_filter: bool = True
    noop_filter: bool = True
    short_filter: bool = True
    lead_ups: bool = False
    rate: str = "varied"
    schedule: str = "constant"
    reward: str = "human"
    wrong: float = 0.0
    slips: bool = False
    second_look: bool = False
    rule: str = "constant"
    probes: bool = False

    @property
    def online(self) -> bool:
        """Whether it collects episodes."""
        return self.data == "online"


_CLONING = Arm(title="BC", group=COMPARISON, probes=True)
_RL = Arm(title="RL", group=COMPARISON)


def _other_head(head: str) -> dict[str, Arm]:
    """Return cloning and Hi-ORS of a policy that makes its chunks in another way."""
    cloning = Arm(
        title=f"BC, initial demonstrations, {head} head",
        group=EXPERIMENT,
        against="bc_initial",
        head=head,
        data="initial",
    )
    hi_ors = replace(
        cloning, title=f"Hi-ORS, {head} head", against=f"{head}_initial", data="online"
    )
    return {f"{head}_initial": cloning, head: hi_ors}


ARMS: dict[str, Arm] = {
    REFERENCE: Arm(title="Hi-ORS", group=COMPARISON, probes=True),
    "bc_initial": replace(_CLONING, title="BC, initial demonstrations", data="initial"),
    "bc_human": replace(_CLONING, title="BC, same human frames", data="human_frames"),
    "bc_total": replace(_CLONING, title="BC, same total frames", data="frames"),
    "hil_serl": replace(_RL, title="HIL-SERL", method="hil_serl"),
    "qc_fql": replace(_RL, title="Q-Chunking (QC-FQL)", method="qc_fql"),
    "qc": replace(_RL, title="Q-Chunking (best of n)", group=EXTRA, method="qc"),
    "no_correction": Arm(title="no human correction", watched="never"),
    "seldom_watched": Arm(title="person seldom watches", watched="seldom"),
    "no_outcome_filter": Arm(
        title="person seldom watches, no outcome filter",
        against="seldom_watched",
        watched="seldom",
        outcome_filter=False,
    ),
    "no_noop_filter": Arm(title="no no-op filter", noop_filter=False),
    "slips": Arm(title="slips of the label button", slips=True),
    "no_short_filter": Arm(
        title="slips, no short-episode filter", against="slips", slips=True, short_filter=False
    ),
    "lead_ups": Arm(title="what led to a take-over is kept", lead_ups=True),
    "fixed_low": Arm(title="fixed low frequency", rate="low"),
    "fixed_high": Arm(title="fixed high frequency", rate="high"),
    "cyclical": Arm(title="cyclical learning rate", schedule="cyclical"),
    "learned_reward": Arm(title="learned reward", reward="learned"),
    "wrong_05": Arm(title="5 % wrong labels", group=EXPERIMENT, wrong=0.05),
    "wrong_10": Arm(title="10 % wrong labels", group=EXPERIMENT, wrong=0.10),
    "wrong_20": Arm(title="20 % wrong labels", group=EXPERIMENT, wrong=0.20),
    "wrong_20_second_look": Arm(
        title="20 % wrong labels, a second look",
        group=EXPERIMENT,
        against="wrong_20",
        wrong=0.20,
        second_look=True,
    ),
    "wrong_20_lower_bound": Arm(
        title="20 % wrong labels, lower bound over similar starts",
        group=EXPERIMENT,
        against="wrong_20",
        wrong=0.20,
        rule="lower_bound",
    ),
    **_other_head("diffusion"),
    **_other_head("token"),
    "two_tasks": Arm(
        title="raise_hand in the same policy",
        group=EXPERIMENT,
        task="pack_detergent",
        beside="raise_hand",
    ),
    "lower_bound": Arm(
        title="lower bound over similar starts",
        group=EXPERIMENT,
        task="insert_slippery",
        rule="lower_bound",
    ),
}


def find(name: str) -> Arm:
    """Return an arm, or raise UnknownName."""
    if name not in ARMS:
        raise UnknownName("arm", name, [*ARMS, *GROUPS, "all"])
    return ARMS[name]


def choose(words: Sequence[str]) -> list[str]:
    """Return the names of the arms that the words name, in the order of the table.

    A word is an arm, a group or "all".
    """
    wanted = {name for word in words for name in _expand(word)}
    if not wanted:
        raise InvalidValue(f"No arm is named; there are {', '.join(ARMS)}")
    return [name for name in ARMS if name in wanted]


def needed(names: Iterable[str]) -> list[str]:
    """Return the arms with those that they take their budget from or that, on a task of their own,
    they are compared with; in the order of the table.
    """
    wanted = set(names)
    if any(not ARMS[name].online for name in wanted):
        wanted.add(REFERENCE)
    wanted |= {ARMS[name].against for name in wanted if ARMS[name].task}
    return [name for name in ARMS if name in wanted]


def _expand(word: str) -> list[str]:
    if word == "all":
        return list(ARMS)
    if word in GROUPS:
        return [name for name, arm in ARMS.items() if arm.group == word]
    find(word)
    return [word]
