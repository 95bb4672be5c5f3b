"""The prompts and Meta-Nets of one layout, stacked by slot."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from adapters.config import BackboneConfig
from adapters.kinds.dvpt.meta_net import meta_input, output_rows
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.kind import Stack
from adapters.transfers import copy_into, host_copy
from adapters.vit.row_parameters import RowParameters, gathered


class DvptStack(Stack[DvptOptions]):
    """Prompts [S, L, P, D], where π is added [S, L], and Meta-Net weights [S, out, in]; slot 0 stays zero."""

    def __init__(
        self,
        layout: DvptOptions,
        backbone: BackboneConfig,
        slots: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        width, layers = backbone.width, backbone.depth if layout.deep else 1
        self._layout = layout
        self._rows = output_rows(layout)

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(slots, *shape, device=device, dtype=dtype)

        self.prompts = zeros(layers, layout.count, width)
        self.pi_scale = zeros(layers)
        sizes = [width] + [layout.meta_hidden] * (layout.meta_layers - 1) + [self._rows * width]
        pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
        self.weights = [zeros(outputs, inputs) for outputs, inputs in pairs]
        self.biases = [zeros(outputs) for outputs, _ in pairs]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every stacked tensor."""
        return (self.prompts, self.pi_scale, *self.weights, *self.biases)

    @torch.inference_mode()
    def write(self, slot: int, options: DvptOptions, tensors: Mapping[str, Tensor]) -> None:
        """Copy one adapter's prompts and Meta-Net; without a Meta-Net (VPT) its part is zero."""
        copy_into(self.prompts[slot], tensors["prompts"])
        dynamic = options.meta_net != "none"
        self.pi_scale[slot] = 1.0 if dynamic and options.dynamic_layers == "all" else 0.0
        self.pi_scale[slot, 0] = 1.0 if dynamic else 0.0
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if dynamic:
                copy_into(weight[slot], tensors[f"meta_net.{layer}.weight"])
                copy_into(bias[slot], tensors[f"meta_net.{layer}.bias"])
            else:
                weight[slot].zero_()
                bias[slot].zero_()

    @torch.inference_mode()
    def read(self, slot: int, options: DvptOptions) -> dict[str, Tensor]:
        """Copies, on the host, of what `write` was given."""
        tensors = {"prompts": host_copy(self.prompts[slot])}
        if options.meta_net != "none":
            for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
                tensors[f"meta_net.{layer}.weight"] = host_copy(weight[slot])
                tensors[f"meta_net.{layer}.bias"] = host_copy(bias[slot])
        return tensors

    def row_parameters(self, patches: Tensor, index: Tensor) -> RowParameters:
        """Patch tokens [B, N, D] and slots [B] → prompts P + π [B, L, P, D] float32.

        Computed in float32 whatever the storage, as the reference forward does: rounding π on its way
        changed the answer to one picture in a thousand.
        """
        x = meta_input(
            patches.float(), per_token=self._layout.meta_input == "token", normalize=self._layout.meta_norm
        )
        for layer, stacked in enumerate(zip(self.weights, self.biases, strict=True)):
            x = F.relu(x) if layer else x
            weight, bias = (gathered(part, index).float() for part in stacked)
            x = torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))
        pi = x.mean(dim=1).view(patches.shape[0], 1, self._rows, patches.shape[2])
        where = gathered(self.pi_scale, index).float()[:, :, None, None]
        return RowParameters(gathered(self.prompts, index) + where * pi)
