"""Pictures that training sees late, so that one run can say what its answers are worth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

LEAST_PICTURES = 20
"""Fewer say too little of a temperature to be kept back for it."""


@dataclass(frozen=True)
class HeldBack:
    """Rows [H] of the training pictures that are not trained on in the first `epochs` epochs.

    `logits` answers them, [H, C], with the method as it is then.
    """

    rows: Tensor
    epochs: int
    logits: Callable[[], Tensor]

    def early(self, count: int) -> Tensor:
        """The other rows of `count`, which all epochs train on."""
        kept = torch.ones(count, dtype=torch.bool)
        kept[self.rows] = False
        return kept.nonzero().flatten()


def rows_to_hold_back(labels: Sequence[int], val: int, share: float, seed: int) -> Tensor | None:
    """Which of the training pictures to hold back: the last `val` ones, or a part of all drawn by class.

    val itself, as it is at most a third; of a larger one, or where there is none, `share` of all. None where
    there would be too few, or a class would be left without any.
    """
    count = len(labels)
    rows = np.arange(count - val, count)
    if not val or 3 * val > count:
        _, sizes = np.unique(labels, return_counts=True)
        taken = round(count * share)
        if sizes.min() < 2 or min(taken, count - taken) < len(sizes):
            return None
        _, rows = train_test_split(np.arange(count), test_size=taken, stratify=labels, random_state=seed)
    if len(rows) < LEAST_PICTURES or set(np.delete(labels, rows)) != set(labels):
        return None
    return torch.from_numpy(np.sort(rows))
