"""Engines: what runs the forward pass of a mixed batch."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapters.kinds.layout import Layout, Slot
from service.errors import InferenceFailed

Probabilities = NDArray[np.float32]


class Engine(Protocol):
    """Runs batches, one at a time, on the thread that started it."""

    def start(self) -> None:
        """Load the backbone. Raises BackboneError or BackboneMismatch."""

    def warm(self, layout: Layout) -> None:
        """Run a batch of null slots, so that the layout's first request pays for no first time."""

    def stage(self, image: Tensor) -> Tensor:
        """A picture [3, H, W] uint8 in host memory → what `infer` takes, on its way to the device.

        May run on many threads, while a batch runs. Raises OutOfDeviceMemory, DeviceLost.
        """

    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        """Staged pictures and their slots, all of one layout → each row's probabilities [C].

        A row whose answer is not finite gets its error instead. Raises OutOfDeviceMemory, DeviceLost.
        """
