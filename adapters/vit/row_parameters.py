"""What each row of a batch brings of its own to the blocks that all rows share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

NORM1, ATTENTION, NORM2, MLP = range(4)
PLACES = 4


class Affine(NamedTuple):
    """x·scale + shift, each [B, L, 4, D]; scale is 1 where it is neutral.

    The places of a block: behind its first norm, its attention, its second norm and its MLP. The two
    branches are moved behind their layer scale and before the residual sum (SSF).
    """

    scale: Tensor
    shift: Tensor

    def of_place(self, place: int) -> "Affine":
        """Of a block's affine [B, 4, 1, D] that of one place, [B, 1, D]."""
        return Affine(self.scale[:, place], self.shift[:, place])


class Bottleneck(NamedTuple):
    """up·GELU(down·x + bias) beside each MLP, of the MLP's own input (a parallel adapter).

    down [B, L, r, D], bias [B, L, r], up [B, L, D, r].
    """

    down: Tensor
    bias: Tensor
    up: Tensor


class Biases(NamedTuple):
    """What is added to the biases that no affine reaches.

    embed [B, 2, D] to the prefix and to the patches before the first block, qkv [B, L, 3·D] to queries,
    keys and values, hidden [B, L, H] before the MLP's activation.
    """

    embed: Tensor
    qkv: Tensor
    hidden: Tensor


@dataclass(frozen=True)
class BlockParameters:
    """One block's part: affine [B, 4, 1, D], bottleneck, biases [B, 1, 3·D] and [B, 1, H]."""

    affine: Affine | None = None
    bottleneck: Bottleneck | None = None
    qkv: Tensor | None = None
    hidden: Tensor | None = None


@dataclass(frozen=True)
class RowParameters:
    """One adapter's parameters for each row; what is None is neutral and costs nothing.

    `prompts` [B, L, P, D] stand between prefix and patches. With L = depth each layer's prompts replace the
    last layer's prompt outputs (DVPT, equation 8); with L = 1 the outputs are carried on.
    """

    prompts: Tensor | None = None
    affine: Affine | None = None
    bottleneck: Bottleneck | None = None
    biases: Biases | None = None

    @property
    def reach_into_blocks(self) -> bool:
        """Whether there is more than what stands between the tokens."""
        return any(part is not None for part in (self.affine, self.bottleneck, self.biases))

    def to(self, dtype: torch.dtype) -> "RowParameters":
        """The same in the type that the blocks compute in."""
        affine, bottleneck, biases = self.affine, self.bottleneck, self.biases
        return RowParameters(
            None if self.prompts is None else self.prompts.to(dtype),
            None if affine is None else Affine(*(part.to(dtype) for part in affine)),
            None if bottleneck is None else Bottleneck(*(part.to(dtype) for part in bottleneck)),
            None if biases is None else Biases(*(part.to(dtype) for part in biases)),
        )

    def of_block(self, layer: int) -> BlockParameters:
        """What the block of that number takes."""
        affine, bottleneck, biases = self.affine, self.bottleneck, self.biases
        return BlockParameters(
            None if affine is None else Affine(*(part[:, layer].unsqueeze(2) for part in affine)),
            None if bottleneck is None else Bottleneck(*(part[:, layer] for part in bottleneck)),
            None if biases is None else biases.qkv[:, layer].unsqueeze(1),
            None if biases is None else biases.hidden[:, layer].unsqueeze(1),
        )

    def merged(self, other: "RowParameters") -> "RowParameters":
        """What both bring. Raises ValueError where both bring the same."""
        values = [(own, vars(other)[name]) for name, own in vars(self).items()]
        if any(own is not None and others is not None for own, others in values):
            raise ValueError("both bring the same to the blocks")
        return RowParameters(*(own if others is None else others for own, others in values))


NEUTRAL = RowParameters()
NEUTRAL_BLOCK = BlockParameters()


def gathered(stacked: Tensor, index: Tensor) -> Tensor:
    """Of a tensor by slots [S, …] those of the rows [B] → [B, …].

    On a CPU indexing copies value by value, which takes many times as long as `index_select`; on CUDA it
    copies vectors, and `index_select` does so for more than 16 rows alone (pytorch#151753, #151715).
    """
    return stacked[index] if stacked.is_cuda else stacked.index_select(0, index)


def concatenated(rows: Sequence[RowParameters]) -> RowParameters:
    """Rows that bring the same fields, in shapes that are equal but for B, as one batch."""
    first = rows[0]
    prompts = [own.prompts for own in rows if own.prompts is not None]
    affines = [own.affine for own in rows if own.affine is not None]
    bottlenecks = [own.bottleneck for own in rows if own.bottleneck is not None]
    biases = [own.biases for own in rows if own.biases is not None]
    return RowParameters(
        None if first.prompts is None else torch.cat(prompts),
        None if first.affine is None else Affine(*map(torch.cat, zip(*affines, strict=True))),
        None if first.bottleneck is None else Bottleneck(*map(torch.cat, zip(*bottlenecks, strict=True))),
        None if first.biases is None else Biases(*map(torch.cat, zip(*biases, strict=True))),
    )
