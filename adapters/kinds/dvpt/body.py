"""The prompts and the Meta-Net of one adapter."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.dvpt.meta_net import MetaNet
from adapters.kinds.dvpt.options import DvptOptions
from adapters.vit.row_parameters import RowParameters


class DvptBody(nn.Module):
    """Prompts [L, P, D] and Meta-Net; L is the depth (deep) or 1 (shallow). `dropout` is for training.

    Source: DVPT, equations 7 and 8; VPT where there is no Meta-Net.
    """

    meta_net: MetaNet | None

    def __init__(self, options: DvptOptions, backbone: BackboneConfig) -> None:
        super().__init__()
        self.options = options
        self.prompts = _new_prompts(backbone.depth if options.deep else 1, options.count, backbone)
        self.meta_net = MetaNet(options, backbone.width) if options.meta_net != "none" else None
        self.dropout = nn.Dropout(0.0)

    def forward(self, patches: Tensor) -> RowParameters:
        """Patch tokens E₀ [B, N, D] → prompts P(x) = P + π [B, L, P, D] (equation 7)."""
        prompts = self.prompts.expand(patches.shape[0], -1, -1, -1)
        if self.meta_net is not None:
            pi = self.meta_net(patches.to(self.prompts.dtype)).unsqueeze(1)
            if self.options.dynamic_layers == "all":
                prompts = prompts + pi
            else:
                prompts = torch.cat([prompts[:, :1] + pi, prompts[:, 1:]], dim=1)
        return RowParameters(prompts=cast("Tensor", self.dropout(prompts)))


def _new_prompts(layers: int, count: int, backbone: BackboneConfig) -> nn.Parameter:
    """VPT's initialization: uniform within ±√(6 / (3·patch² + D))."""
    bound = math.sqrt(6.0 / (3 * backbone.patch_size**2 + backbone.width))
    return nn.Parameter(torch.empty(layers, count, backbone.width).uniform_(-bound, bound))
