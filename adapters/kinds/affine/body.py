"""The scales, shifts and biases of one adapter."""

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.affine.options import AffineOptions, hidden_width
from adapters.vit.row_parameters import PLACES, Affine, Biases, RowParameters


class AffineBody(nn.Module):
    """scale and shift [L, 4, D], with `biases` embed [2, D], qkv [L, 3·D], hidden [L, H]; 0 at first.

    A scale is kept as its difference from 1. Source: SSF (Lian et al. 2022); BitFit (Zaken et al. 2022).
    """

    def __init__(self, options: AffineOptions, backbone: BackboneConfig) -> None:
        super().__init__()
        self.options = options
        for name, shape in affine_shapes(options, backbone).items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    def forward(self, patches: Tensor) -> RowParameters:
        """Patch tokens E₀ [B, N, D] → the same for each row."""
        # Not len(): it is a number, and an exported graph would take batches of that number alone.
        own = {name: value.expand(patches.shape[0], *value.shape) for name, value in self.named_parameters()}
        biases = Biases(own["embed"], own["qkv"], own["hidden"]) if self.options.biases else None
        return RowParameters(affine=Affine(1 + own["scale"], own["shift"]), biases=biases)


def affine_shapes(options: AffineOptions, backbone: BackboneConfig) -> dict[str, tuple[int, ...]]:
    """Name → shape of the tensors of one adapter."""
    depth, width = backbone.depth, backbone.width
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("scale", "shift"), (depth, PLACES, width))
    if options.biases:
        shapes |= {"embed": (2, width), "qkv": (depth, 3 * width)}
        shapes["hidden"] = (depth, hidden_width(options, width))
    return shapes
