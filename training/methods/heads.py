"""Heads while they train; what is published is always `adapters.kinds.head.Head`."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapters.kinds.head import Head
from adapters.vit.backbone import Backbone
from training.options.train_config import TrainConfig


class MlpHead(nn.Module):
    """Mlp-k as VPT defines it: (k − 1) × [D → D, ReLU, BatchNorm, dropout] and a linear map to C classes."""

    def __init__(self, width: int, class_count: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.maps = Head(width, class_count, layers)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(layers - 1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, D] → float32 logits [B, C]."""
        x = features.float()
        *hidden, last = self.maps
        for linear, norm in zip(hidden, self.norms, strict=True):
            x = self.dropout(norm(F.relu(linear(x))))
        logits: Tensor = last(x)
        return logits

    @torch.no_grad()
    def fold(self) -> Head:
        """The same map in evaluation, each BatchNorm folded into the linear map behind it."""
        last = _linear(self.maps[-1])
        folded = Head(last.in_features, last.out_features, len(self.maps)).to(last.weight.device)
        folded.load_state_dict(self.maps.state_dict())
        for index, norm in enumerate(self.norms):
            behind = _linear(folded[index + 1])
            scale, shift = _affine(norm)
            behind.bias.add_(behind.weight @ shift)
            behind.weight.mul_(scale)
        return folded


def _linear(module: nn.Module) -> nn.Linear:
    if not isinstance(module, nn.Linear):
        raise TypeError(f"a head is made of linear maps, not of a {type(module).__name__}")
    return module


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """BatchNorm in evaluation as x·scale + shift, each [D]."""
    state = norm.state_dict()
    scale = state["weight"] / torch.sqrt(state["running_var"] + getattr(norm, "eps", 0.0))
    return scale, state["bias"] - state["running_mean"] * scale


def new_head(backbone: Backbone, config: TrainConfig, class_count: int) -> nn.Module:
    """A linear head on the backbone's features, or Mlp-k for k = `config.head_layers` > 1."""
    width, layers = backbone.config.width, config.head_layers or 1
    if layers == 1:
        return Head(width, class_count)
    return MlpHead(width, class_count, layers, config.head_dropout)


def plain_head(head: nn.Module) -> Head:
    """A trained head as it is published. Raises TypeError for one that does not fold."""
    if isinstance(head, MlpHead):
        return head.fold()
    if isinstance(head, Head):
        return head
    raise TypeError(f"a {type(head).__name__} has no plain form")
