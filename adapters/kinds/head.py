"""The head of one adapter, the same for every kind."""

from torch import Tensor, nn
from torch.nn import functional as F


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
