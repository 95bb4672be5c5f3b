"""The bottlenecks of one adapter."""

import math

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.vit.row_parameters import Bottleneck, RowParameters


class BottleneckBody(nn.Module):
    """down [L, r, D], bias [L, r], up [L, D, r]; down as a linear map begins, the others 0.

    Source: AdaptFormer (Chen et al. 2022), with the MLP's own input, which is normalized, and without a bias
    behind it.
    """

    def __init__(self, options: BottleneckOptions, backbone: BackboneConfig) -> None:
        super().__init__()
        shapes = bottleneck_shapes(options, backbone)
        bound = 1 / math.sqrt(backbone.width)
        self.down = nn.Parameter(torch.empty(shapes["down"]).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(shapes["bias"]))
        self.up = nn.Parameter(torch.zeros(shapes["up"]))

    def forward(self, patches: Tensor) -> RowParameters:
        """Patch tokens E₀ [B, N, D] → the same for each row."""
        rows = patches.shape[0]  # not len(), as an exported graph takes any number
        own = (value.expand(rows, *value.shape) for value in (self.down, self.bias, self.up))
        return RowParameters(bottleneck=Bottleneck(*own))


def bottleneck_shapes(options: BottleneckOptions, backbone: BackboneConfig) -> dict[str, tuple[int, ...]]:
    """Name → shape of the tensors of one adapter."""
    depth, width, columns = backbone.depth, backbone.width, options.width
    return {"down": (depth, columns, width), "bias": (depth, columns), "up": (depth, width, columns)}
