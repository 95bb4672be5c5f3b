"""The heads of one shape, stacked by slot of their own and grown when they run out."""

import torch
from torch import Tensor
from torch.nn import functional as F

from adapters.bank.slots import FreeSlots
from adapters.kinds.layout import HeadShape
from adapters.transfers import copy_into, host_copy
from adapters.vit.row_parameters import gathered

INITIAL_CAPACITY = 16


class HeadBank(FreeSlots):
    """Hidden maps [S, k−1, D, D] and last map [S, C, D]; rows beyond a head's classes have bias −∞.

    Unlike a layout's tensors these double when full: they stay outside every captured graph, and
    a bucket of 1,024 classes allocated for a thousand tasks would cost gigabytes for nothing.
    """

    def __init__(self, shape: HeadShape, width: int, *, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(INITIAL_CAPACITY)
        slots, hidden = INITIAL_CAPACITY + 1, shape.layers - 1
        self._hidden = hidden
        self.weight = torch.zeros(slots, shape.class_capacity, width, device=device, dtype=dtype)
        self.bias = torch.full((slots, shape.class_capacity), -torch.inf, device=device)
        self.hidden_weight = torch.zeros(slots, hidden, width, width, device=device, dtype=dtype)
        self.hidden_bias = torch.zeros(slots, hidden, width, device=device)
        self.bias[0, 0] = 0.0  # the null slot has one class

    def memory_bytes(self) -> int:
        """Bytes of the stacked tensors."""
        return sum(t.nbytes for t in (self.weight, self.bias, self.hidden_weight, self.hidden_bias))

    def take(self) -> int:
        """A free slot; doubles the tensors when there is none."""
        if self.free == 0:
            self._grow()
        return super().take()

    @torch.inference_mode()
    def write(self, slot: int, class_count: int, tensors: dict[str, Tensor]) -> None:
        """Copy one adapter's head."""
        for layer in range(self._hidden):
            copy_into(self.hidden_weight[slot, layer], tensors[f"head.{layer}.weight"])
            copy_into(self.hidden_bias[slot, layer], tensors[f"head.{layer}.bias"])
        self.weight[slot].zero_()
        self.bias[slot].fill_(-torch.inf)
        copy_into(self.weight[slot, :class_count], tensors[f"head.{self._hidden}.weight"])
        copy_into(self.bias[slot, :class_count], tensors[f"head.{self._hidden}.bias"])

    @torch.inference_mode()
    def read(self, slot: int, class_count: int) -> dict[str, Tensor]:
        """Copies, on the host, of what `write` was given."""
        tensors = {}
        for layer in range(self._hidden):
            tensors[f"head.{layer}.weight"] = host_copy(self.hidden_weight[slot, layer])
            tensors[f"head.{layer}.bias"] = host_copy(self.hidden_bias[slot, layer])
        tensors[f"head.{self._hidden}.weight"] = host_copy(self.weight[slot, :class_count])
        tensors[f"head.{self._hidden}.bias"] = host_copy(self.bias[slot, :class_count])
        return tensors

    def logits(self, features: Tensor, index: Tensor) -> Tensor:
        """Features [b, D] and slots [b] → float32 logits [b, C].

        Multiplied in float32 whatever the storage: bfloat16 logits would round probabilities.
        """
        x = features.float().unsqueeze(1)
        for layer in range(self._hidden):
            weight, bias = (gathered(own[:, layer], index) for own in (self.hidden_weight, self.hidden_bias))
            x = F.relu(torch.baddbmm(bias.unsqueeze(1), x, weight.float().transpose(1, 2)))
        weight, bias = gathered(self.weight, index), gathered(self.bias, index)
        return torch.bmm(x, weight.float().transpose(1, 2)).squeeze(1) + bias

    def _grow(self) -> None:
        self.weight, self.bias, self.hidden_weight, self.hidden_bias = (
            torch.cat([tensor, torch.zeros_like(tensor[1:])])
            for tensor in (self.weight, self.bias, self.hidden_weight, self.hidden_bias)
        )
        self.extend(self.capacity)
