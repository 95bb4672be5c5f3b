"""The options of scales and shifts."""

from typing import Literal

from pydantic import Field

from adapters.kinds.options import KindOptions


class AffineOptions(KindOptions):
    """`biases` adds those that no scale or shift reaches, before the MLP's activation for one.

    `hidden` is the width of that place in the backbone's blocks; 0 means 4·D.
    """

    kind: Literal["affine"] = "affine"
    biases: bool = False
    hidden: int = Field(default=0, ge=0, le=65536)


def hidden_width(options: AffineOptions, width: int) -> int:
    """The MLP's width before its activation."""
    return options.hidden or 4 * width
