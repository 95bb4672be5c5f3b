"""Bias (BitFit): every bias of the backbone is trained, and published as an affine that is worth the same."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from adapters.kinds.adapter import Adapter
from adapters.kinds.affine.options import AffineOptions
from adapters.vit.backbone import Backbone
from adapters.vit.blocks import mlp_width
from adapters.vit.row_parameters import ATTENTION, MLP, NORM1, NORM2
from training.errors import MethodUnsuitable
from training.methods.backbone_parameters import BackboneMethod
from training.methods.heads import plain_head
from training.options.train_config import TrainConfig

PATCHES = 1  # of the rows of `embed`; the other is the prefix's


class BiasMethod(BackboneMethod):
    """Trains copies of the biases themselves, as the published comparisons do, and a head.

    Raises UnsupportedBackbone and MethodUnsuitable where a bias has no place in an adapter.
    """

    def __init__(self, backbone: Backbone, config: TrainConfig, class_count: int) -> None:
        self._class_count = class_count
        hidden, width = mlp_width(backbone.vit), backbone.config.width
        self._options = AffineOptions(biases=True, hidden=0 if hidden == 4 * width else hidden)
        super().__init__(backbone, config, class_count, lambda name: name.endswith(".bias"))
        self._start = {name: value.detach().clone() for name, value in self._copies.named_parameters()}
        known = {name for name, *_ in self._places()} | {"norm.bias", "fc_norm.bias"}
        if unknown := sorted(self._start.keys() - known):
            raise MethodUnsuitable(
                f"{backbone.config.name} has biases that no adapter holds, such as {unknown[0]}"
            )

    @torch.no_grad()
    def adapter(self) -> Adapter:
        """The differences from the backbone's own biases; that of the last norm is folded into the head."""
        published = Adapter(self._options, self._backbone.config, self._class_count)
        published.head = plain_head(copy.deepcopy(self.head).cpu())
        trained = dict(self._copies.named_parameters())
        moved = {name: value.detach().cpu() - self._start[name].cpu() for name, value in trained.items()}
        state = published.body.state_dict()
        for name, tensor, at, factor in self._places():
            if name in moved:
                state[tensor][at] += moved[name] * factor
        for name in ("norm.bias", "fc_norm.bias"):
            if name in moved:
                first = cast("nn.Linear", published.head.get_submodule("0"))
                first.bias.add_(first.weight @ moved[name])
        return published.eval()

    @torch.no_grad()
    def load_body(self, tensors: Mapping[str, Tensor]) -> None:
        """The backbone's own biases and the published differences from them."""
        trained = dict(self._copies.named_parameters())
        for name, tensor, at, factor in self._places():
            if name in trained:
                difference = (tensors[tensor][at] / factor).view(-1, trained[name].numel())[-1]
                trained[name].copy_(self._start[name] + difference.to(self._start[name].device))

    def _places(self) -> Iterator[tuple[str, str, Any, Tensor | float]]:
        """Each bias's name, the tensor of the body that takes it, where in it, and times what."""
        vit = self._backbone.vit
        if isinstance(vit.norm_pre, nn.Identity):
            yield "patch_embed.proj.bias", "embed", PATCHES, 1.0
        else:  # the patches' embedding has no bias then
            yield "norm_pre.bias", "embed", slice(None), 1.0
        for layer, block in enumerate(cast("Iterable[Block]", vit.blocks)):
            path = f"blocks.{layer}"
            yield f"{path}.norm1.bias", "shift", (layer, NORM1), 1.0
            yield f"{path}.attn.qkv.bias", "qkv", layer, 1.0
            yield f"{path}.attn.proj.bias", "shift", (layer, ATTENTION), _layer_scale(block.ls1)
            yield f"{path}.norm2.bias", "shift", (layer, NORM2), 1.0
            yield f"{path}.mlp.fc1.bias", "hidden", layer, 1.0
            yield f"{path}.mlp.fc2.bias", "shift", (layer, MLP), _layer_scale(block.ls2)


def _layer_scale(module: nn.Module) -> Tensor | float:
    """What a branch is multiplied with before it is shifted."""
    gamma = getattr(module, "gamma", None)
    return gamma.detach().float().cpu() if isinstance(gamma, Tensor) else 1.0
