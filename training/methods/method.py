"""What every method has in common: the one protocol that the loop, checkpoints and publishing use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from adapters.kinds.adapter import Adapter


class Method(Protocol):
    """One way to fit the backbone to a task.

    `module` holds all that is trained, the head too, and is what a checkpoint saves; nothing else changes.
    """

    module: nn.Module

    @property
    def head(self) -> nn.Module:
        """The part of `module` that maps features to classes."""

    def inputs(self, images: Tensor) -> Tensor:
        """What is computed once for each picture and kept: [N, 3, H, W] uint8 → [N, …].

        The pixels themselves, or tokens or features where nothing before them is trained.
        """

    def logits(self, inputs: Tensor) -> Tensor:
        """A batch of what `inputs` gave, on the device → float32 logits [B, C], with gradients."""

    def load_body(self, tensors: Mapping[str, Tensor]) -> None:
        """Start from the tensors of a published adapter's body, named as in it; the head is set apart."""

    def adapter(self) -> Adapter | None:
        """What is published: a kind's body, and a head of plain linear maps.

        None where the trained parameters are not an adapter's, so that no service can share the backbone.
        """


@dataclass(frozen=True)
class Parameters:
    """How many values a method trains."""

    with_head: int
    without_head: int

    @classmethod
    def of(cls, method: Method) -> "Parameters":
        """Count the parameters of the method's module and of its head."""
        total, head = _count(method.module), _count(method.head)
        return cls(with_head=total, without_head=total - head)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@torch.inference_mode()
def head_inputs(method: Method, inputs: Tensor, device: torch.device, batch: int = 100) -> Tensor:
    """What the method's head is given of `inputs` [N, …]: features [N, D] float32 on the CPU."""
    seen: list[Tensor] = []
    hook = method.head.register_forward_pre_hook(
        lambda _, given: seen.append(given[0].detach().float().cpu())
    )
    method.module.eval()
    try:
        for part in torch.split(inputs, batch):
            method.logits(part.to(device))
    finally:
        hook.remove()
    return torch.cat(seen)
