"""Averaged weights: an exponential moving average of what is trained, which is what counts in the end."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# timm's warm-up of the decay: an average that is young forgets its start faster.
_YOUNG = 10


class AveragedWeights:
    """The average of a module's parameters over past steps, each step `decay` times the weight of the next.

    Source: Polyak and Juditsky 1992; timm's ModelEmaV3.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module = module
        self._decay = decay
        self._steps = 0
        self._values: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Count the parameters as they are now in."""
        self._steps += 1
        now = {name: value.detach() for name, value in self._module.named_parameters()}
        if not self._values:
            self._values = {name: value.clone() for name, value in now.items()}
            return
        decay = min(self._decay, self._steps / (_YOUNG + self._steps))
        torch._foreach_lerp_(list(self._values.values()), list(now.values()), 1 - decay)

    @torch.no_grad()
    def put(self) -> None:
        """Put the average in the place of the parameters."""
        for name, value in self._module.named_parameters():
            if name in self._values:
                value.copy_(self._values[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The average in the place of the parameters, for a look at what it is worth."""
        last = {name: value.detach().clone() for name, value in self._module.named_parameters()}
        self.put()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in self._module.named_parameters():
                    value.copy_(last[name])

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {**self._values, "steps": torch.tensor(self._steps)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `tensors`; nothing where a checkpoint has none."""
        if not tensors:
            return
        self._steps = int(tensors["steps"])
        # In the module's order: a file has its own.
        self._values = {
            name: tensors[name].to(value.device, copy=True) for name, value in self._module.named_parameters()
        }
