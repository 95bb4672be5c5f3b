"""What the methods share that are trained for comparison: no service can run them on a shared backbone."""

from collections.abc import Mapping

from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from training.methods.heads import new_head
from training.options.train_config import TrainConfig


class ComparisonMethod:
    """Trains `added`, whatever stands for it in the forward pass, and a head on top."""

    module: nn.Module

    def __init__(
        self, backbone: Backbone, config: TrainConfig, class_count: int, added: Mapping[str, nn.Module]
    ) -> None:
        self._backbone = backbone
        self._head = new_head(backbone, config, class_count)
        self.module = nn.ModuleDict({**added, "head": self._head})

    @property
    def head(self) -> nn.Module:
        """Maps features to classes."""
        return self._head

    def inputs(self, images: Tensor) -> Tensor:
        """The pixels themselves: what is trained begins there."""
        return images

    def adapter(self) -> None:
        """None: it is kept as a checkpoint."""
