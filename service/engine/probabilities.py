"""From a batch's logits to each row's probabilities."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from adapters.kinds.layout import Slot
from adapters.transfers import host_copy
from service.engine.protocol import Probabilities
from service.errors import InferenceFailed, OutputNotFinite


def row_probabilities(logits: Tensor, slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
    """Logits [B, C] → each row's probabilities over its own classes, or OutputNotFinite for that row."""
    probabilities: Probabilities = host_copy(torch.softmax(logits, dim=-1)).numpy()
    # A row that holds one NaN or infinity has no finite sum.
    finite = np.isfinite(probabilities.sum(axis=1))
    return [
        probabilities[row, : slot.class_count]
        if finite[row]
        else OutputNotFinite("the adapter's answer holds NaN or infinity")
        for row, slot in enumerate(slots)
    ]
