"""One adapter and its reference forward, which everything that batches is tested against."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapters.config import AdapterConfig, BackboneConfig, PromptConfig
from adapters.kinds.dvpt.meta_net import MetaNet
from adapters.vit.backbone import Backbone


class Head(nn.Sequential):
    """One linear map to C classes, or k of them with ReLU between (a folded Mlp-k).

    Its parameters are named `0.weight`, `0.bias`, `1.weight`, …
    """

    def __init__(self, width: int, class_count: int, layers: int = 1) -> None:
        super().__init__(*(nn.Linear(width, width) for _ in range(layers - 1)), nn.Linear(width, class_count))

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, D] → logits [B, C]."""
        x = features.to(next(self.parameters()).dtype)
        for index, linear in enumerate(self):
            x = linear(F.relu(x) if index else x)
        return x


class Adapter(nn.Module):
    """Prompts [L, P, D], Meta-Net and head of one task; L is the depth (deep) or 1 (shallow).

    Source: DVPT, equations 7 and 8; VPT where there is no Meta-Net.
    """

    prompts: nn.Parameter | None
    meta_net: MetaNet | None

    def __init__(
        self,
        options: PromptConfig,
        backbone: BackboneConfig,
        class_count: int,
        *,
        head_layers: int = 1,
        prompt_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.options = options
        layers = backbone.depth if options.deep else 1
        self.register_parameter("prompts", _new_prompts(layers, options.count, backbone))
        self.meta_net = MetaNet(options, backbone.width) if options.meta_net != "none" else None
        self.prompt_dropout = nn.Dropout(prompt_dropout)
        self.head: nn.Module = Head(backbone.width, class_count, head_layers)

    def dynamic_prompts(self, patches: Tensor) -> Tensor | None:
        """Patch tokens E₀ [B, N, D] → P(x) = P + π [B, L, P, D] (equation 7); None without prompts."""
        if self.prompts is None:
            return None
        prompts = self.prompts.expand(patches.shape[0], -1, -1, -1)
        if self.meta_net is None:
            return cast("Tensor", self.prompt_dropout(prompts))
        pi = self.meta_net(patches.to(self.prompts.dtype)).unsqueeze(1)
        if self.options.dynamic_layers == "all":
            prompts = prompts + pi
        else:
            prompts = torch.cat([prompts[:, :1] + pi, prompts[:, 1:]], dim=1)
        return cast("Tensor", self.prompt_dropout(prompts))

    def features(self, backbone: Backbone, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → features [B, D] under this adapter's prompts."""
        tokens = backbone.embed(images)
        return backbone.encode(tokens, self.dynamic_prompts(backbone.patch_tokens(tokens)))

    def forward(self, backbone: Backbone, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → logits [B, C]."""
        return cast("Tensor", self.head(self.features(backbone, images)))


def empty_adapter(config: AdapterConfig, backbone: BackboneConfig) -> Adapter:
    """The adapter `config` describes, for tensors to be loaded into; cheap on torch's meta device."""
    return Adapter(config.prompts, backbone, len(config.classes), head_layers=config.head_layers)


def expected_shapes(config: AdapterConfig, backbone: BackboneConfig) -> dict[str, tuple[int, ...]]:
    """Name → shape of every tensor that `adapter_model.safetensors` must hold, and no other."""
    with torch.device("meta"):
        state = empty_adapter(config, backbone).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _new_prompts(layers: int, count: int, backbone: BackboneConfig) -> nn.Parameter | None:
    """VPT's initialization: uniform within ±√(6 / (3·patch² + D))."""
    if count == 0:
        return None
    bound = math.sqrt(6.0 / (3 * backbone.patch_size**2 + backbone.width))
    return nn.Parameter(torch.empty(layers, count, backbone.width).uniform_(-bound, bound))
