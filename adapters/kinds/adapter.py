"""One adapter of any kind and its reference forward, which everything that batches is tested against."""

from typing import cast

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.head import Head
from adapters.kinds.options import KindOptions
from adapters.kinds.table import kind_of
from adapters.vit.backbone import Backbone
from adapters.vit.row_parameters import RowParameters

BODY = "body."  # what the names of the kind's own tensors begin with; the others are the head's


class Adapter(nn.Module):
    """A kind's body, which says what each picture's row brings to the blocks, and the head of one task."""

    def __init__(
        self, options: KindOptions, backbone: BackboneConfig, class_count: int, *, head_layers: int = 1
    ) -> None:
        super().__init__()
        self.options = options
        self.body = kind_of(options).body(options, backbone)
        self.head: nn.Module = Head(backbone.width, class_count, head_layers)

    def row_parameters(self, patches: Tensor) -> RowParameters:
        """Patch tokens E₀ [B, N, D] → what each row brings."""
        return cast("RowParameters", self.body(patches))

    def features(self, backbone: Backbone, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → features [B, D] under this adapter."""
        tokens = backbone.embed(images)
        return backbone.encode(tokens, self.row_parameters(backbone.patch_tokens(tokens)))

    def forward(self, backbone: Backbone, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → logits [B, C]."""
        return cast("Tensor", self.head(self.features(backbone, images)))


def empty_adapter(config: AdapterConfig, backbone: BackboneConfig) -> Adapter:
    """The adapter `config` describes, for tensors to be loaded into; cheap on torch's meta device."""
    return Adapter(config.options, backbone, len(config.classes), head_layers=config.head_layers)


def expected_shapes(config: AdapterConfig, backbone: BackboneConfig) -> dict[str, tuple[int, ...]]:
    """Name → shape of every tensor that `adapter_model.safetensors` must hold, and no other."""
    with torch.device("meta"):
        state = empty_adapter(config, backbone).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
