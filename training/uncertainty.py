"""How sure a measured accuracy is, and how far probabilities can be believed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

BINS = 15


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


def standard_error(accuracy: float, count: int) -> float:
    """√(p(1 − p)/n) of an accuracy measured on `count` pictures."""
    return math.sqrt(accuracy * (1.0 - accuracy) / count)


def paired_bootstrap(
    correct_a: Sequence[bool], correct_b: Sequence[bool], seed: int, *, rounds: int = 10_000
) -> tuple[float, float]:
    """95 % interval of accuracy a − accuracy b on the same pictures, resampled together.

    The difference is significant where 0 lies outside. Raises ValueError unless both have one value for
    each picture.
    """
    if len(correct_a) != len(correct_b) or not correct_a:
        raise ValueError(f"{len(correct_a)} and {len(correct_b)} answers cannot be paired")
    difference = np.asarray(correct_a, dtype=np.int8) - np.asarray(correct_b, dtype=np.int8)
    # A picture's difference is −1, 0 or 1, so drawing pictures is drawing how many of each.
    values, counts = np.unique(difference, return_counts=True)
    total = len(difference)
    drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=rounds)
    low, high = np.quantile(drawn @ values / total, [0.025, 0.975])
    return float(low), float(high)


def seeded_bootstrap(
    correct_a: Sequence[Sequence[bool]], correct_b: Sequence[Sequence[bool]], seed: int, *, rounds: int = 2000
) -> tuple[float, float]:
    """95 % interval of mean accuracy a − b over runs [runs, pictures] of the same pictures in one order.

    Runs of each side and pictures are resampled, so that it covers both the spread between seeds and the
    choice of test pictures. Raises ValueError unless all runs answered equally many pictures.
    """
    if len({len(run) for run in [*correct_a, *correct_b]}) != 1:
        raise ValueError("runs that answered different numbers of pictures cannot be compared")
    a, b = np.asarray(correct_a, dtype=np.float32), np.asarray(correct_b, dtype=np.float32)
    random = np.random.default_rng(seed)
    differences = np.empty(rounds)
    for number in range(rounds):
        pictures = random.integers(a.shape[1], size=a.shape[1])
        run_a = a[random.integers(len(a), size=len(a))].mean(axis=0)
        run_b = b[random.integers(len(b), size=len(b))].mean(axis=0)
        differences[number] = (run_a - run_b)[pictures].mean()
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)
