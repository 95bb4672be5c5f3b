"""Full, Partial-k and what Bias builds on: some of the backbone's own parameters are trained.

Partial-k is the last k blocks and the norm behind them (VPT's definition).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from adapters.vit.backbone import Backbone
from training.methods.comparison import ComparisonMethod
from training.options.train_config import TrainConfig

TOKEN_BATCH = 64

Chosen = Callable[[str], bool]


class BackboneMethod(ComparisonMethod):
    """Trains float32 copies of the backbone's parameters that `chosen` picks by name, and a head.

    The copies are cast to the backbone's type in each step, so that bfloat16 loses no small update.
    """

    module: nn.Module

    def __init__(
        self,
        backbone: Backbone,
        config: TrainConfig,
        class_count: int,
        chosen: Chosen,
        frozen_blocks: int = 0,
    ) -> None:
        own = {name: value for name, value in backbone.vit.named_parameters() if chosen(name)}
        self._copies = _copies(own)
        super().__init__(backbone, config, class_count, {"backbone": self._copies})
        self._frozen_blocks = frozen_blocks
        self._tail = _Tail(backbone, frozen_blocks)

    @torch.no_grad()
    def inputs(self, images: Tensor) -> Tensor:
        """The pixels; with frozen blocks the tokens behind them [N, prefix + N, D], not rounded again."""
        if not self._frozen_blocks:
            return images
        device = self._backbone.mean.device
        return torch.cat(
            [self._through_frozen(batch.to(device)).cpu() for batch in torch.split(images, TOKEN_BATCH)]
        )

    def logits(self, inputs: Tensor) -> Tensor:
        """Pixels, or tokens behind the frozen blocks → logits [B, C]."""
        trained = {
            f"vit.{name}": value.to(self._backbone.dtype) for name, value in self._copies.named_parameters()
        }
        return cast("Tensor", self.head(functional_call(self._tail, trained, (inputs,))))

    def _through_frozen(self, images: Tensor) -> Tensor:
        tokens = self._backbone.embed(images)
        for block in _blocks(self._backbone)[: self._frozen_blocks]:
            tokens = block(tokens)
        return tokens


class _Tail(nn.Module):
    """What comes behind the frozen blocks: pixels or tokens → pooled features [B, D]."""

    def __init__(self, backbone: Backbone, frozen_blocks: int) -> None:
        super().__init__()
        self.vit = backbone.vit
        self._backbone = (backbone,)  # in a tuple, so that it is no submodule under a second name
        self._frozen_blocks = frozen_blocks

    def forward(self, inputs: Tensor) -> Tensor:
        """Features [B, D] of pixels [B, 3, H, W], or of tokens behind the frozen blocks."""
        (backbone,) = self._backbone
        if not self._frozen_blocks:
            return backbone.encode(backbone.embed(inputs))
        tokens = inputs
        for block in _blocks(backbone)[self._frozen_blocks :]:
            tokens = block(tokens)
        return backbone.vit.forward_head(backbone.vit.norm(tokens), pre_logits=True)


def full(backbone: Backbone, config: TrainConfig, class_count: int) -> BackboneMethod:
    """Full: everything is trained."""
    return BackboneMethod(backbone, config, class_count, lambda _: True)


def partial(backbone: Backbone, config: TrainConfig, class_count: int) -> BackboneMethod:
    """Partial-k: the last k blocks and the norm behind them, on tokens that are computed once."""
    depth = backbone.config.depth
    frozen = max(depth - config.partial_blocks, 0)
    trained = ("norm.", "fc_norm.", *(f"blocks.{number}." for number in range(frozen, depth)))
    return BackboneMethod(backbone, config, class_count, lambda name: name.startswith(trained), frozen)


def _blocks(backbone: Backbone) -> list[nn.Module]:
    return list(cast("Iterable[nn.Module]", backbone.vit.blocks))


def _copies(parameters: Mapping[str, Tensor]) -> nn.Module:
    """Trainable float32 copies under the same dotted names."""
    root = nn.Module()
    for name, value in parameters.items():
        *path, leaf = name.split(".")
        module = root
        for step in path:
            if step not in dict(module.named_children()):
                module.add_module(step, nn.Module())
            module = module.get_submodule(step)
        module.register_parameter(leaf, nn.Parameter(value.detach().float().clone()))
    return root
