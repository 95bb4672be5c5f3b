"""The options of prompts with a Meta-Net."""

from typing import Literal

from pydantic import Field

from adapters.kinds.options import KindOptions


class DvptOptions(KindOptions):
    """The prompts and the Meta-Net of one adapter (paper, equations 7 and 8).

    `count` is P. `deep` gives every layer prompts of its own; shallow prompts are carried on.
    `meta_net` says what the dynamic prompt π is: none (VPT), one row shared by all prompts, or one
    row for each. `dynamic_layers` says where π is added. `meta_input` is the mean of the patch tokens,
    or every token with the mean taken after the Meta-Net. `meta_hidden` of 0 means D / 16.
    """

    kind: Literal["dvpt"] = "dvpt"
    count: int = Field(default=10, ge=1, le=1000)
    deep: bool = True
    meta_net: Literal["none", "shared", "specific"] = "shared"
    meta_layers: int = Field(default=4, ge=2, le=16)
    meta_hidden: int = Field(default=0, ge=0, le=8192)
    meta_input: Literal["mean", "token"] = "mean"
    meta_norm: bool = False
    dynamic_layers: Literal["first", "all"] = "first"
