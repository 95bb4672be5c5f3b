"""What every method has in common: the one protocol that the loop, checkpoints and publishing use."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from adapters.dvpt import Adapter


@dataclass(frozen=True)
class Recipe:
    """Defaults that differ between methods."""

    epochs: int
    lr: float


class Method(Protocol):
    """One way to fit the backbone to a task.

    `module` holds all that is trained, and is what a checkpoint saves; nothing else changes.
    """

    module: nn.Module

    def inputs(self, images: Tensor) -> Tensor:
        """What is computed once for each picture and kept: [N, 3, H, W] uint8 → [N, …].

        The pixels themselves, or features where nothing before them is trained.
        """

    def logits(self, inputs: Tensor) -> Tensor:
        """A batch of what `inputs` gave, on the device → float32 logits [B, C], with gradients."""

    def adapter(self) -> Adapter:
        """What is published: prompts, Meta-Net and a head of plain linear maps."""
