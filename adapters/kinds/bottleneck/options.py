"""The options of a bottleneck."""

from typing import Literal

from pydantic import Field

from adapters.kinds.options import KindOptions


class BottleneckOptions(KindOptions):
    """`width` is r, how many columns it has."""

    kind: Literal["bottleneck"] = "bottleneck"
    width: int = Field(default=8, ge=1, le=256)
