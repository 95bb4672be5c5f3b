"""Stochastic depth in the backbone's blocks, for as long as something trains through them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from timm.layers.drop import DropPath, calculate_drop_path_rates
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from training.errors import MethodUnsuitable


class _DropWhatTrains(DropPath):
    """What goes through blocks without gradients is not trained, and passes whole."""

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, N, D] → the same, those of some pictures zero."""
        if not torch.is_grad_enabled():
            return x
        return cast("Tensor", super().forward(x))  # type: ignore[no-untyped-call]


@contextmanager
def dropped_paths(backbone: Backbone, rate: float) -> Iterator[None]:
    """Leave residual paths out at random, for each picture, and put the backbone back as it was.

    `rate` is the last block's chance; it rises from 0 linearly over the depth (Huang et al. 2016, as timm
    does it). Only these modules are in training mode: the rest of a frozen ViT stays in evaluation.
    Raises MethodUnsuitable for blocks that have no place for it.
    """
    if not rate:
        yield
        return
    places = list(_places(backbone, rate))
    if not places:
        raise MethodUnsuitable(f"the blocks of {backbone.config.name} have no residual paths to drop")
    before = [parent.get_submodule(name) for parent, name, _ in places]
    try:
        for parent, name, chance in places:
            parent.register_module(name, _DropWhatTrains(chance).train())
        yield
    finally:
        for (parent, name, _), module in zip(places, before, strict=True):
            parent.register_module(name, module)


def _places(backbone: Backbone, rate: float) -> Iterator[tuple[nn.Module, str, float]]:
    """Where timm's blocks have a DropPath, or an Identity for want of one: parent, name, chance."""
    blocks = cast("Sequence[nn.Module]", backbone.vit.blocks)
    chances = cast("list[float]", calculate_drop_path_rates(rate, len(blocks)))
    for block, chance in zip(blocks, chances, strict=True):
        for path in [path for path, _ in block.named_modules()]:
            parent, _, name = str(path).rpartition(".")
            if name.startswith("drop_path"):
                yield block.get_submodule(parent), name, chance
