"""DVPT and VPT, deep and shallow: prompts, Meta-Net and head are trained."""

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.body import DvptBody
from adapters.vit.backbone import Backbone
from adapters.vit.row_parameters import RowParameters
from training.methods.heads import new_head, plain_head
from training.methods.method import Recipe
from training.options.train_config import TrainConfig

RECIPE = Recipe(epochs=15, lr=1e-2)


class PromptMethod:
    """Trains an Adapter; nothing can be cached, since its prompts reach from the first block on."""

    module: nn.Module

    def __init__(self, backbone: Backbone, config: TrainConfig, class_count: int) -> None:
        self._backbone = backbone
        self._options = config.prompts
        self._adapter = Adapter(self._options, backbone.config, class_count)
        cast("DvptBody", self._adapter.body).dropout.p = config.prompt_dropout
        self._adapter.head = new_head(backbone, config, class_count)
        self.module = self._adapter

    @property
    def layout(self) -> tuple[int, bool]:
        """What must be equal for `joint_logits`: how many prompts, and whether in every layer."""
        return self._options.count, self._options.deep

    @property
    def head(self) -> nn.Module:
        """The adapter's head."""
        return self._adapter.head

    def inputs(self, images: Tensor) -> Tensor:
        """The pixels themselves."""
        return images

    def logits(self, inputs: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] uint8 → logits [B, C]."""
        logits: Tensor = self._adapter(self._backbone, inputs)
        return logits

    def adapter(self) -> Adapter:
        """A copy on the CPU whose head is plain."""
        published = copy.deepcopy(self._adapter).cpu().eval()
        published.head = plain_head(published.head)
        return published


def joint_logits(methods: Sequence[PromptMethod], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Batches [Bₖ, 3, H, W] of K methods in one forward pass → each one's logits [Bₖ, C].

    Each row has its own method's prompts, as in the service's bank; no row sees another. All methods share
    one backbone and one layout.
    """
    backbone = methods[0]._backbone  # noqa: SLF001 - of this class
    sizes = [len(batch) for batch in inputs]
    tokens = backbone.embed(torch.cat(list(inputs)))
    adapters = [method._adapter for method in methods]  # noqa: SLF001 - of this class
    patches = torch.split(backbone.patch_tokens(tokens), sizes)
    rows = [adapter.row_parameters(own) for adapter, own in zip(adapters, patches, strict=True)]
    prompts = torch.cat([own.prompts for own in rows if own.prompts is not None])
    features = backbone.encode(tokens, RowParameters(prompts))
    return [adapter.head(own) for adapter, own in zip(adapters, torch.split(features, sizes), strict=True)]
