# SPDX-License-Identifier: Apache-2.0
"""Files that hiors writes and reads, from the dataclasses that are their content."""

import dataclasses
import re
import typing
from types import UnionType
from typing import Any

from writing import code, one_line, page, table

from hiors import policies
from hiors.demo import summary
from hiors_bench import record
from hiors_core import acceptance, label, link, manifest, task, topics
from hiors_learner import metrics, settings, states, status
from hiors_policy import manifest as checkpoint
from hiors_policy import policy

EPISODE = """\
A store is a folder. An episode is a folder in `episodes/`, named by its id; it is written under
`recording/`, and moved by one rename when everything is on the disk. What is damaged goes to
`quarantine/` with the reason. `index.sqlite` is derived from the folders and made anew when it is
missing.

```text
store/
  episodes/<id>/
    <id>_0.mcap      rosbag2's MCAP: plays with `ros2 bag play`, opens in Foxglove
    metadata.yaml    rosbag2's
    manifest.json    what the episode holds, with the SHA-256 of the two files above
    label.json       the judgements, newest last (missing: nobody judged yet)
    decision.json    accepted or not, and why (missing: not decided yet)
  recording/         the episode that is being recorded
  quarantine/        what is damaged, with the reason
  index.sqlite       derived
```

JSON documents carry a checksum of their own; times are nanoseconds since 1970 unless a unit is
named.
"""
RUN = """\
```text
run/
  store/             episodes of the robot
  demos/             demonstrations (demonstrate:=true)
  link/inbox/        notices of accepted episodes for the learner
  link/ledger.jsonl  episodes that are in the training set, one a line
  link/refused/      notices that the learner refused, with the reason
  link/status.json   what the learner says of itself
  learner/           metrics.jsonl, tensorboard/
  checkpoints/       one folder a version, and latest.json
  logs/              one file a process, and the parameters that it got
```
"""


def formats_page() -> str:
    """Return the page of the file formats."""
    return page(
        "Files",
        "## Run folder", RUN,
        "## Episode folder", EPISODE,
        "### manifest.json of an episode", _classes(manifest.Manifest, manifest.EpisodeMeta,
        manifest.Segment, manifest.Stream, manifest.FileEntry),
        "### Topics in the bag", _bag(),
        "### label.json", _classes(label.Label),
        "### decision.json", _classes(acceptance.Decision),
        "## Between robot and learner", _classes(link.Notice, link.LedgerEntry, status.Status),
        "## A line of learner/metrics.jsonl", _classes(metrics.Line),
        "## State to resume from",
        "A folder in `checkpoints/training`: safetensors by part (`weights`, `exp_avg`,"
        " `exp_avg_sq`, `buffers`, `average`, `frozen`) and `state.json`, with their SHA-256 in"
        " `files`.",
        _classes(states.Header),
        "## Checkpoint folder",
        "`model.safetensors` and `manifest.json`. A folder is never changed once it is there;"
        " `latest.json` beside the folders names the newest (`version`, `path`, `sha256`).",
        _classes(checkpoint.CheckpointManifest, policy.PolicySpec),
        "## summary.json of `hiors demo`",
        table(("key", "meaning"), ([code(k), t] for k, t in summary.KEYS.items())),
        "## results.json of `hiors bench learning`",
        "`{\"runs\": [...]}`, one entry for each finished run.",
        table(("key", "meaning"), ([code(k), t] for k, t in record.KEYS.items())),
        "## Task file (config/tasks)", _classes(task.Task),
        "## Policy file (config/policies)", _classes(policies.PolicyChoice),
        "## Learner file (config/learner)", _classes(*_parts(settings.LearnerSettings)),
    )  # fmt: skip


def _classes(*classes: type) -> str:
    return "\n\n".join(_class(cls) for cls in classes)


def _class(cls: type) -> str:
    doc = _meanings(cls)
    if missing := [f.name for f in dataclasses.fields(cls) if f.name not in doc]:
        raise LookupError(
            f"{cls.__name__} does not say what {', '.join(missing)} are (Attributes)"
        )
    rows = (
        [code(f.name), _type(cls, f.name), _default(f), doc[f.name]]
        for f in dataclasses.fields(cls)
    )
    return f"**{cls.__name__}**: {one_line(cls.__doc__ or '')}\n\n" + table(
        ("key", "type", "default", "meaning"), rows
    )


def _meanings(cls: type) -> dict[str, str]:
    """Return what the section Attributes of the docstring says of each field."""
    _, _, text = (cls.__doc__ or "").partition("Attributes:")
    flat = " ".join(text.split())
    names = "|".join(f.name for f in dataclasses.fields(cls))
    pattern = re.compile(rf"(?:^|(?<=\. ))((?:{names})(?:, (?:{names}))*): ")
    pieces = pattern.split(flat)[1:]
    found = zip(pieces[::2], pieces[1::2], strict=True)
    return {name: text.strip() for group, text in found for name in group.split(", ")}


def _type(cls: type, name: str) -> str:
    return _spoken(typing.get_type_hints(cls)[name])


def _spoken(hint: Any) -> str:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, UnionType):
        return " or ".join(_spoken(i) for i in inner)
    if typing.get_origin(hint) is tuple:
        return f"list of {_spoken(inner[0])}"
    if typing.get_origin(hint) is not None:
        return "mapping"
    return {type(None): "null", str: "text", int: "integer", float: "number"}.get(
        hint, getattr(hint, "__name__", str(hint))
    )


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default in (dataclasses.MISSING, ""):
        return ""
    value = field.default
    if isinstance(value, tuple):
        return code(", ".join(map(str, value)))
    return code(str(value).lower() if isinstance(value, bool) else value)


def _parts(cls: type) -> list[type]:
    hints = typing.get_type_hints(cls)
    return [cls, *(h for h in hints.values() if dataclasses.is_dataclass(h))]


def _bag() -> str:
    rows = [
        (topics.JOINT_STATES, topics.JOINT_STATE_TYPE, "measured positions and velocities"),
        (topics.EXECUTED, topics.EXECUTED_TYPE, "what was really sent, each control tick"),
        (topics.CONTROL_STATE, topics.CONTROL_STATE_TYPE, "who drove"),
        (topics.TRANSITION, topics.TRANSITION_TYPE, "marks the logged transitions (eq. 6)"),
        ("/ee_pose/<arm>", topics.POSE_TYPE, "tool point in the arm's base frame"),
        (topics.object_pose("<name>"), topics.POSE_TYPE, "tracked object"),
        ("/camera/<name>/...", topics.JPEG_TYPE, "image of a transition, as JPEG"),
    ]
    return table(("topic", "type", "what it is"), ([code(a), code(b), c] for a, b, c in rows))
