"""Sidetune: the frozen features mixed with those of a small network that is trained beside the backbone."""

from typing import cast

import torch
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from training.errors import MethodUnsuitable
from training.methods.comparison import ComparisonMethod
from training.options.train_config import TrainConfig

SMALLEST_PX = 63


class SideNetwork(nn.Module):
    """σ(α)·features + (1 − σ(α))·projection(side), α = 0 at the start.

    VPT's side network: the convolutions of AlexNet and an average pool, 9,216 values for each picture, here
    from random weights, since the published ones are a pickle.
    """

    def __init__(self, width: int) -> None:
        from torchvision.models import alexnet  # noqa: PLC0415 - slow to import, used by this method alone

        super().__init__()
        network = alexnet(weights=None)
        self.convolutions = nn.Sequential(network.features, network.avgpool, nn.Flatten())
        self.projection = nn.Linear(256 * 6 * 6, width, bias=False)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, pixels: Tensor, features: Tensor) -> Tensor:
        """Normalized pixels [B, 3, H, W] and frozen features [B, D] → mixed features [B, D]."""
        side = self.projection(self.convolutions(pixels))
        share = torch.sigmoid(self.alpha)
        return cast("Tensor", share * features + (1 - share) * side)


class SidetuneMethod(ComparisonMethod):
    """Trains the side network, its share, and a head; the frozen forward needs no gradients.

    Raises MethodUnsuitable for inputs that AlexNet's convolutions leave nothing of.
    """

    def __init__(self, backbone: Backbone, config: TrainConfig, class_count: int) -> None:
        size = backbone.config.image_size
        if size < SMALLEST_PX:
            raise MethodUnsuitable(
                f"sidetune's side network needs inputs of at least {SMALLEST_PX} pixels, not {size}; "
                "give a larger --image-size"
            )
        self._side = SideNetwork(backbone.config.width)
        super().__init__(backbone, config, class_count, {"side": self._side})

    def logits(self, inputs: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] uint8 → logits [B, C]."""
        with torch.no_grad():
            features = self._backbone.encode(self._backbone.embed(inputs)).float()
        pixels = self._backbone.normalize(inputs)
        return cast("Tensor", self.head(self._side(pixels, features)))
