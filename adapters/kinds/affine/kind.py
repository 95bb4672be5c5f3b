"""Scales and shifts, with or without free biases."""

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.affine.body import AffineBody, affine_shapes
from adapters.kinds.affine.options import AffineOptions, hidden_width
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.kind import RowGraph
from adapters.kinds.named_stack import NamedStack
from adapters.kinds.options import KindOptions
from adapters.vit.row_parameters import Affine, Biases, RowParameters, gathered


class AffineKind:
    """Without free biases it rides with bottlenecks; with them a layout is how many there are."""

    options = AffineOptions
    methods = ("affine", "bias")

    def layout(self, options: AffineOptions, backbone: BackboneConfig) -> KindOptions:
        """That of affine and bottleneck together, or `hidden` resolved."""
        if not options.biases:
            return CombinedOptions(dvpt=None)
        return options.model_copy(update={"hidden": hidden_width(options, backbone.width)})

    def layout_name(self, layout: AffineOptions) -> str:
        """`affine`, or such as `affine-biases3072`."""
        return f"affine-biases{layout.hidden}" if layout.biases else "affine"

    def body(self, options: AffineOptions, backbone: BackboneConfig) -> nn.Module:
        """What is neutral, before training."""
        return AffineBody(options, backbone)

    def stack(
        self,
        layout: AffineOptions,
        backbone: BackboneConfig,
        slots: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "AffineStack":
        """Zeros, which are neutral."""
        return AffineStack(affine_shapes(layout, backbone), slots, device=device, dtype=dtype)

    def graphs(
        self, layout: AffineOptions, backbone: BackboneConfig, *, prefix: int, half: bool
    ) -> tuple[RowGraph, ...]:
        """Each row's own tensors, gathered."""
        from adapters.kinds.gather_graph import gather_graph  # noqa: PLC0415 - what the onnx extra installs

        return (gather_graph("affine", affine_shapes(layout, backbone), half=half, add_one=("scale",)),)


class AffineStack(NamedStack[AffineOptions]):
    """The tensors of `AffineBody`, each with an axis of slots before it."""

    def row_parameters(self, patches: Tensor, index: Tensor) -> RowParameters:
        """1 is added in float32, as in the reference: few values near it are bfloat16's."""
        scale, shift = (gathered(self.named[name], index) for name in ("scale", "shift"))
        affine = Affine(1 + scale.float(), shift)
        if "qkv" not in self.named:
            return RowParameters(affine=affine)
        free = Biases(*(gathered(self.named[name], index) for name in ("embed", "qkv", "hidden")))
        return RowParameters(affine=affine, biases=free)
