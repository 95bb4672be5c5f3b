"""How far probabilities can be believed, and the temperature that brings them nearer to the truth."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional as F

from adapters.kinds.head import Head

BINS = 15
HOTTEST = 20.0


@dataclass(frozen=True)
class Reliability:
    """Answers by their probability, in bins of equal width [K]: pictures, mean probability, accuracy.

    A bin without pictures has zeros.
    """

    pictures: NDArray[np.int64]
    probability: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor, bins: int = BINS) -> "Reliability":
        """Logits [N, C] and labels [N] → how often answers of a given probability are right."""
        probability, answer = logits.double().softmax(dim=1).max(dim=1)
        number = np.clip(np.ceil(probability.numpy() * bins).astype(int) - 1, 0, bins - 1)
        count = np.bincount(number, minlength=bins)
        total = np.maximum(count, 1)
        right = (answer == labels).double().numpy()
        return cls(
            count,
            np.bincount(number, probability.numpy(), minlength=bins) / total,
            np.bincount(number, right, minlength=bins) / total,
        )

    @property
    def error(self) -> float:
        """Expected calibration error: |accuracy − probability|, bins by their pictures (Guo et al. 2017)."""
        gaps = np.abs(self.accuracy - self.probability)
        return float((gaps * self.pictures).sum() / self.pictures.sum())


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature: on how many pictures of val, and of which run."""

    temperature: float
    pictures: int
    run: str


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The T in [1/20, 20] with the least cross-entropy of logits [N, C] / T against labels [N]."""

    def loss(log_temperature: float) -> float:
        return float(F.cross_entropy(logits.double() / math.exp(log_temperature), labels))

    limit = math.log(HOTTEST)
    # The loss is convex in 1/T, so that it has one minimum in log T too.
    found = minimize_scalar(  # type: ignore[no-untyped-call]
        loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-4}
    )
    return math.exp(float(found.x))


@torch.no_grad()
def fold_temperature(head: nn.Module, temperature: float) -> None:
    """Divide the last linear map of a plain head, and so its logits, by T. Raises TypeError for others."""
    if not isinstance(head, Head):
        raise TypeError(f"a temperature folds into a plain head, not into a {type(head).__name__}")
    for parameter in head[-1].parameters():
        parameter.div_(temperature)
