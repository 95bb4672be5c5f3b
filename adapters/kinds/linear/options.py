"""The options of a head alone."""

from typing import Literal

from adapters.kinds.options import KindOptions


class LinearOptions(KindOptions):
    """There is nothing to choose: the head, of one linear map or several, is outside the kinds."""

    kind: Literal["linear"] = "linear"
