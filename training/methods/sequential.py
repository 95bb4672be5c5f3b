"""Sequential-r, a bottleneck of width D/r behind each MLP: the Adapter-r of VPT's and the paper's tables."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional as F

from adapters.vit.backbone import Backbone
from training.methods.comparison import ComparisonMethod
from training.options.train_config import TrainConfig


class Bottleneck(nn.Module):
    """h + up(GELU(down(h))) with D → D/r → D.

    `vpt_zero` starts both matrices at zero, so that only the last bias gets gradients, as VPT's code has
    it; `kaiming` starts `down` at random and `up` at zero. Either is the identity before training.
    """

    def __init__(self, width: int, reduction: int, init: str) -> None:
        super().__init__()
        hidden = max(width // reduction, 1)
        self.down = nn.Linear(width, hidden)
        self.up = nn.Linear(hidden, width)
        for linear in (self.down, self.up):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
        if init == "kaiming":
            nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))

    def forward(self, hidden: Tensor) -> Tensor:
        """Tokens [B, N, D] of any type → the same shape and type; computed in float32."""
        x = hidden.float()
        return cast("Tensor", x + self.up(F.gelu(self.down(x)))).to(hidden.dtype)


class SequentialMethod(ComparisonMethod):
    """Trains a bottleneck for each block, and a head; nothing can be cached."""

    def __init__(self, backbone: Backbone, config: TrainConfig, class_count: int) -> None:
        width, depth = backbone.config.width, backbone.config.depth
        reduction, init = config.sequential_reduction, config.sequential_init
        self._added = nn.ModuleList(Bottleneck(width, reduction, init) for _ in range(depth))
        super().__init__(backbone, config, class_count, {"blocks": self._added})

    def logits(self, inputs: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] uint8 → logits [B, C]."""
        with self._attached():
            features = self._backbone.encode(self._backbone.embed(inputs))
        return cast("Tensor", self.head(features))

    @contextmanager
    def _attached(self) -> Iterator[None]:
        """The bottlenecks behind the backbone's MLPs, and gone again."""
        with ExitStack() as stack:
            blocks = cast("Iterable[nn.Module]", self._backbone.vit.blocks)
            for block, added in zip(blocks, self._added, strict=True):
                handle = block.get_submodule("mlp").register_forward_hook(_behind(added))
                stack.callback(handle.remove)
            yield


def _behind(added: nn.Module) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return cast("Tensor", added(output))

    return hook
