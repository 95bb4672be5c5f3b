"""Linear and Mlp-k: no tensors beside the head, and rows that bring nothing of their own."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.kind import RowGraph, Stack
from adapters.kinds.linear.options import LinearOptions
from adapters.vit.row_parameters import NEUTRAL, RowParameters


class LinearKind:
    """All of its adapters share one layout."""

    options = LinearOptions
    methods = ("linear", "mlp")

    def layout(self, options: LinearOptions, backbone: BackboneConfig) -> LinearOptions:
        """The options themselves."""
        return options

    def layout_name(self, layout: LinearOptions) -> str:
        """`linear`."""
        return layout.kind

    def body(self, options: LinearOptions, backbone: BackboneConfig) -> nn.Module:
        """A module without parameters."""
        return LinearBody()

    def stack(
        self,
        layout: LinearOptions,
        backbone: BackboneConfig,
        slots: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "LinearStack":
        """Nothing to stack."""
        return LinearStack()

    def graphs(
        self,
        layout: LinearOptions,
        backbone: BackboneConfig,
        *,
        prefix: int,
        half: bool,
    ) -> tuple[RowGraph, ...]:
        """None: there is nothing to compute."""
        return ()


class LinearBody(nn.Module):
    """Leaves the blocks as they are."""

    def forward(self, patches: Tensor) -> RowParameters:
        """Patch tokens E₀ [B, N, D] → what is neutral."""
        return NEUTRAL


class LinearStack(Stack[LinearOptions]):
    """No tensors."""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """None."""
        return ()

    def write(self, slot: int, options: LinearOptions, tensors: Mapping[str, Tensor]) -> None:
        """Nothing."""

    def read(self, slot: int, options: LinearOptions) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def row_parameters(self, patches: Tensor, index: Tensor) -> RowParameters:
        """What is neutral, for every row."""
        return NEUTRAL
