"""DVPT and VPT, deep and shallow: prompts, Meta-Net and head are trained."""

import copy

from torch import Tensor, nn

from adapters.backbone import Backbone
from adapters.dvpt import Adapter
from training.config import TrainConfig
from training.methods.heads import new_head, plain_head
from training.methods.method import Recipe

RECIPE = Recipe(epochs=15, lr=1e-2)


class PromptMethod:
    """Trains an Adapter; nothing can be cached, since its prompts reach from the first block on."""

    module: nn.Module

    def __init__(self, backbone: Backbone, config: TrainConfig, class_count: int) -> None:
        self._backbone = backbone
        self._adapter = Adapter(
            config.prompts, backbone.config, class_count, prompt_dropout=config.prompt_dropout
        )
        self._adapter.head = new_head(
            backbone.config.width, class_count, config.head_layers or 1, config.head_dropout
        )
        self.module = self._adapter

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
