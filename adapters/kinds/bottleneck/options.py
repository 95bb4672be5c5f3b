"""The options of a bottleneck."""

from typing import Literal

from pydantic import Field

from adapters.kinds.options import KindOptions

DEFAULT_WIDTH = 8


class BottleneckOptions(KindOptions):
    """`width` is r, how many columns it has."""

    kind: Literal["bottleneck"] = "bottleneck"
    width: int = Field(default=DEFAULT_WIDTH, ge=1, le=256)


def shared_width(options: BottleneckOptions) -> BottleneckOptions:
    """The width that narrower ones take in the bank: a column of zeros costs less than a pass of its own."""
    return options.model_copy(update={"width": max(options.width, DEFAULT_WIDTH)})
