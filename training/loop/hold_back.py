"""Pictures that training sees late, so that one run can say what its answers are worth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

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


def rows_to_hold_back(labels: Tensor, answers: Tensor, share: float, seed: int) -> Tensor | None:
    """Which of the training pictures, labels [N], to hold back: `share` of them, as hard as all are.

    Pictures are put in order by class, and within one by how wrong `answers` [N, C] are, those of a linear
    head that was not fitted on them; then one of so many is taken, the first one drawn. Of 200 pictures taken
    by chance two of a hundred more or fewer may be right than of all, and a temperature that is fitted on
    them errs by as much. None where there would be too few.
    """
    wrong = F.cross_entropy(answers, labels, reduction="none").numpy()
    # Up in one class and down in the next, so that the first one drawn favours neither end.
    order = np.lexsort((np.where(labels.numpy() % 2, -wrong, wrong), labels.numpy()))
    _, inverse, sizes = np.unique(labels.numpy(), return_inverse=True, return_counts=True)
    order = order[sizes[inverse[order]] > 1]  # a class's only picture is trained on from the start
    every = round(1 / share)
    rows = np.sort(order[np.random.default_rng(seed).integers(every) :: every])
    return torch.from_numpy(rows) if len(rows) >= LEAST_PICTURES else None
