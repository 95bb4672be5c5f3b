"""A stack of tensors that are written and read as they are in the adapter."""

from collections.abc import Mapping

import torch
from torch import Tensor

from adapters.kinds.kind import Options, Stack
from adapters.transfers import copy_into, host_copy


class NamedStack(Stack[Options]):
    """Name → tensor [S, …]; zeros are what is neutral."""

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], slots: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.named = {
            name: torch.zeros(slots, *shape, device=device, dtype=dtype) for name, shape in shapes.items()
        }

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every stacked tensor."""
        return tuple(self.named.values())

    @torch.inference_mode()
    def write(self, slot: int, options: Options, tensors: Mapping[str, Tensor]) -> None:  # noqa: ARG002
        """Copy one adapter's tensors."""
        for name, stacked in self.named.items():
            copy_into(stacked[slot], tensors[name])

    @torch.inference_mode()
    def read(self, slot: int, options: Options) -> dict[str, Tensor]:  # noqa: ARG002
        """Copies, on the host, of what `write` was given."""
        return {name: host_copy(stacked[slot]) for name, stacked in self.named.items()}
