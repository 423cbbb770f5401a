# SPDX-License-Identifier: Apache-2.0
"""pi0, the vision-language-action flow model, on the native classes of `transformers`.

``load(path)`` reads a published checkpoint; ``Pi0.loss`` and ``Pi0.sample`` are the reference
calls; ``FastSampler`` is for the robot; ``adapter.Pi0Policy`` is the whole as a policy.
"""

from hiors_policy.pi0.architecture import Pi0Config, full_config, tiny_config
from hiors_policy.pi0.guidance import Guidance
from hiors_policy.pi0.inputs import Pi0Inputs, stack_inputs
from hiors_policy.pi0.keymaps import FORMATS
from hiors_policy.pi0.lora import LoraSettings, add_lora, merge_lora
from hiors_policy.pi0.metadata import load_normalizer
from hiors_policy.pi0.model import Pi0
from hiors_policy.pi0.normalization import Normalizer, Scale
from hiors_policy.pi0.precision import MasterWeights, set_precision
from hiors_policy.pi0.sampler import FastSampler, StageTimes
from hiors_policy.pi0.tuning import MODES, set_mode
from hiors_policy.pi0.weights import convert, from_tensors, load, save, to_tensors

__all__ = [
    "FORMATS",
    "MODES",
    "FastSampler",
    "Guidance",
    "LoraSettings",
    "MasterWeights",
    "Normalizer",
    "Pi0",
    "Pi0Config",
    "Pi0Inputs",
    "Scale",
    "StageTimes",
    "add_lora",
    "convert",
    "from_tensors",
    "full_config",
    "load",
    "load_normalizer",
    "merge_lora",
    "save",
    "set_mode",
    "set_precision",
    "stack_inputs",
    "tiny_config",
    "to_tensors",
]
