# SPDX-License-Identifier: Apache-2.0
"""Parameters of label_node."""

from dataclasses import dataclass
from typing import Annotated

from hiors_ros.parameters import Doc, OneOf

PROPOSALS = ("show", "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelParameters:
    """What label_node needs to know."""

    store: Annotated[str, Doc("Folder of the episode store, the one that recorder_node fills.")]
    classifier: Annotated[
        str, Doc("File of a learned judge that proposes labels of sealed episodes; empty: none.")
    ] = ""
    proposals: Annotated[
        str,
        Doc("show: in diagnostics only; label: an episode nobody judged, until somebody does."),
        OneOf(PROPOSALS),
    ] = "show"
