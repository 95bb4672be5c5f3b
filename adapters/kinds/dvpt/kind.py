"""Prompts with a Meta-Net, and VPT, which rides in the same layouts with a Meta-Net of zeros."""

import torch
from torch import nn

from adapters.config import BackboneConfig
from adapters.kinds.dvpt.body import DvptBody
from adapters.kinds.dvpt.meta_net import hidden_width
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.dvpt.stack import DvptStack
from adapters.kinds.kind import RowGraph


class DvptKind:
    """A layout is prompt count, depth and Meta-Net shape."""

    options = DvptOptions
    methods = ("dvpt", "vpt")

    def layout(self, options: DvptOptions, backbone: BackboneConfig) -> DvptOptions:
        """`meta_hidden` resolved, `dynamic_layers` at its default, and VPT as a default DVPT."""
        if options.meta_net == "none":
            options = DvptOptions(count=options.count, deep=options.deep)
        # Where π is added is a factor of each row in the stack, so it does not part rows.
        chosen = {"meta_hidden": hidden_width(options, backbone.width), "dynamic_layers": "first"}
        return options.model_copy(update=chosen)

    def layout_name(self, layout: DvptOptions) -> str:
        """Such as `p10-deep-shared4x48`: prompts, depth, and the Meta-Net's kind, layers and width."""
        marks = ("-token" if layout.meta_input == "token" else "") + ("-norm" if layout.meta_norm else "")
        depth = "deep" if layout.deep else "shallow"
        return f"p{layout.count}-{depth}-{layout.meta_net}{layout.meta_layers}x{layout.meta_hidden}{marks}"

    def body(self, options: DvptOptions, backbone: BackboneConfig) -> nn.Module:
        """Prompts and Meta-Net, at their initial values."""
        return DvptBody(options, backbone)

    def stack(
        self,
        layout: DvptOptions,
        backbone: BackboneConfig,
        slots: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> DvptStack:
        """Zero prompts and zero Meta-Nets."""
        return DvptStack(layout, backbone, slots, device=device, dtype=dtype)

    def graphs(
        self, layout: DvptOptions, backbone: BackboneConfig, *, prefix: int, half: bool
    ) -> tuple[RowGraph, ...]:
        """P(x) from the stack's own tensors."""
        from adapters.kinds.dvpt.onnx import dvpt_graph  # noqa: PLC0415 - what the onnx extra installs

        return (dvpt_graph(layout, backbone, prefix=prefix, half=half),)
