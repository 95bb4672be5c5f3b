"""Pictures that training sees late, so that one run can say what its answers are worth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
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
    head that was not fitted on them; then they are taken at even distances, from one on that is drawn. Of 200
    pictures taken by chance two of a hundred more or fewer may be right than of all, and a temperature that
    is fitted on them errs by as much. Of each class a picture is left. None where there would be too few.
    """
    wrong = F.cross_entropy(answers, labels, reduction="none").numpy()
    # Up in one class and down in the next, so that the first one drawn favours neither end.
    order = np.lexsort((np.where(labels.numpy() % 2, -wrong, wrong), labels.numpy()))
    taken = np.zeros(len(order), dtype=bool)
    _, inverse, sizes = np.unique(labels.numpy(), return_inverse=True, return_counts=True)
    several = np.flatnonzero(sizes[inverse[order]] > 1)  # a class's only picture is trained on from the start
    taken[several[_evenly(len(several), share, seed)]] = True
    for label in range(len(sizes)):
        of_class = np.flatnonzero(inverse[order] == label)
        if taken[of_class].all():
            taken[of_class[len(of_class) // 2]] = False
    rows = np.sort(order[taken])
    return torch.from_numpy(rows) if len(rows) >= LEAST_PICTURES else None


def _evenly(count: int, share: float, seed: int) -> NDArray[np.intp]:
    """About `share` of `count` positions, at even distances; each may be among them alike."""
    every, rng = 1 / share, np.random.default_rng(seed)
    first = rng.integers(int(every)) if every.is_integer() else rng.random() * every
    positions = np.unique(np.arange(first, count, every).astype(np.intp))
    return positions[positions < count]
