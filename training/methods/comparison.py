"""What the methods share whose trained parameters are not those of an adapter."""

from collections.abc import Mapping

from torch import Tensor, nn

from adapters.kinds.adapter import Adapter
from adapters.vit.backbone import Backbone
from training.errors import MethodUnsuitable
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

    def load_body(self, tensors: Mapping[str, Tensor]) -> None:
        """Raise MethodUnsuitable: no published body is of such a method."""
        raise MethodUnsuitable(f"no published adapter can be started from, with {', '.join(tensors)}")

    def adapter(self) -> Adapter | None:
        """None: it is kept as a checkpoint.

        Another method's parameters may be worth the same as an adapter's.
        """
