"""What each row of a batch brings of its own to the blocks that all rows share."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class RowParameters:
    """One adapter's parameters for each row; what is None is neutral and costs nothing.

    `prompts` [B, L, P, D] stand between prefix and patches. With L = depth each layer's prompts replace the
    last layer's prompt outputs (DVPT, equation 8); with L = 1 the outputs are carried on.
    """

    prompts: Tensor | None = None


NEUTRAL = RowParameters()
