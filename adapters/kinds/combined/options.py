"""Which kinds an adapter combines."""

from typing import Literal, Self

from pydantic import model_validator

from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions


class CombinedOptions(KindOptions):
    """The options of each part; a part that is null is not there."""

    kind: Literal["combined"] = "combined"
    dvpt: DvptOptions | None = DvptOptions()
    affine: AffineOptions | None = AffineOptions()
    bottleneck: BottleneckOptions | None = BottleneckOptions()

    @model_validator(mode="after")
    def _are_several(self) -> Self:
        if len(self.parts) < 2:
            raise ValueError("a combined adapter has two parts or more: dvpt, affine, bottleneck")
        return self

    @property
    def parts(self) -> dict[str, KindOptions]:
        """The parts that are there, by kind."""
        named = {"dvpt": self.dvpt, "affine": self.affine, "bottleneck": self.bottleneck}
        return {name: part for name, part in named.items() if part is not None}
