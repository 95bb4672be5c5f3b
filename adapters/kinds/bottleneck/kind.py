"""Bottlenecks of one width."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.bottleneck.body import BottleneckBody, bottleneck_shapes
from adapters.kinds.bottleneck.options import BottleneckOptions, shared_width
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.kind import RowGraph
from adapters.kinds.named_stack import NamedStack
from adapters.kinds.options import KindOptions
from adapters.transfers import copy_into, host_copy
from adapters.vit.row_parameters import Bottleneck, RowParameters, gathered


class BottleneckKind:
    """It rides with affines."""

    options = BottleneckOptions
    methods = ("bottleneck",)

    def layout(self, options: BottleneckOptions, backbone: BackboneConfig) -> KindOptions:
        """That of affine and bottleneck together."""
        return CombinedOptions(dvpt=None, bottleneck=shared_width(options))

    def layout_name(self, layout: BottleneckOptions) -> str:
        """Such as `bottleneck8`."""
        return f"bottleneck{layout.width}"

    def body(self, options: BottleneckOptions, backbone: BackboneConfig) -> nn.Module:
        """What is neutral, before training."""
        return BottleneckBody(options, backbone)

    def stack(
        self,
        layout: BottleneckOptions,
        backbone: BackboneConfig,
        slots: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "BottleneckStack":
        """Zeros, which are neutral."""
        return BottleneckStack(bottleneck_shapes(layout, backbone), slots, device=device, dtype=dtype)

    def graphs(
        self, layout: BottleneckOptions, backbone: BackboneConfig, *, prefix: int, half: bool
    ) -> tuple[RowGraph, ...]:
        """Each row's own tensors, gathered."""
        from adapters.kinds.gather_graph import gather_graph  # noqa: PLC0415 - what the onnx extra installs

        return (gather_graph("bottleneck", bottleneck_shapes(layout, backbone), half=half),)


class BottleneckStack(NamedStack[BottleneckOptions]):
    """The tensors of `BottleneckBody`, each with an axis of slots before it; narrower ones end in zeros."""

    @torch.inference_mode()
    def write(self, slot: int, options: BottleneckOptions, tensors: Mapping[str, Tensor]) -> None:
        """Copy one adapter's columns."""
        self.clear(slot)
        for name, own in self._own(slot, options).items():
            copy_into(own, tensors[name])

    @torch.inference_mode()
    def read(self, slot: int, options: BottleneckOptions) -> dict[str, Tensor]:
        """Copies, on the host, of what `write` was given."""
        return {name: host_copy(own) for name, own in self._own(slot, options).items()}

    def _own(self, slot: int, options: BottleneckOptions) -> dict[str, Tensor]:
        down, bias, up = (self.named[name][slot] for name in ("down", "bias", "up"))
        count = options.width
        return {"down": down[:, :count], "bias": bias[:, :count], "up": up[..., :count]}

    def row_parameters(self, patches: Tensor, index: Tensor) -> RowParameters:
        """What is stored, gathered by slot."""
        own = (gathered(self.named[name], index) for name in ("down", "bias", "up"))
        return RowParameters(bottleneck=Bottleneck(*own))
