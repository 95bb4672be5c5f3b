"""Linear and Mlp-k: only the head is trained, on features that are computed once."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adapters.kinds.adapter import Adapter
from adapters.kinds.linear.options import LinearOptions
from adapters.vit.backbone import Backbone
from training.methods.heads import new_head, plain_head
from training.options.train_config import TrainConfig

FEATURE_BATCH = 64


class LinearMethod:
    """Trains a head on the frozen backbone's features."""

    module: nn.Module

    def __init__(self, backbone: Backbone, config: TrainConfig, class_count: int) -> None:
        self._backbone = backbone
        self._class_count = class_count
        self.module = new_head(backbone, config, class_count)

    @property
    def head(self) -> nn.Module:
        """All that is trained."""
        return self.module

    @torch.no_grad()
    def inputs(self, images: Tensor) -> Tensor:
        """Pixels [N, 3, H, W] uint8 → features [N, D] float32 on the CPU."""
        device = self._backbone.mean.device
        features = [
            self._backbone.encode(self._backbone.embed(batch.to(device))).float().cpu()
            for batch in torch.split(images, FEATURE_BATCH)
        ]
        return torch.cat(features)

    def logits(self, inputs: Tensor) -> Tensor:
        """Features [B, D] → logits [B, C]."""
        logits: Tensor = self.module(inputs)
        return logits

    def load_body(self, tensors: Mapping[str, Tensor]) -> None:
        """There is none."""

    def adapter(self) -> Adapter:
        """An adapter without prompts, with a copy of the head."""
        published = Adapter(LinearOptions(), self._backbone.config, self._class_count)
        published.head = plain_head(copy.deepcopy(self.module).cpu())
        return published.eval()
