"""How sure a measured accuracy is, and how far probabilities can be believed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from torch import Tensor

BINS = 15
CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
Runs = Sequence[Sequence[bool]] | NDArray[np.bool_]


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
class Interval:
    """A 95 % interval, `over_seeds` of other pictures and other seeds, else of other pictures alone."""

    low: float
    high: float
    over_seeds: bool = False

    def text(self, digits: int = 4) -> str:
        """`0.7415 to 0.9858`."""
        return f"{self.low:.{digits}f} to {self.high:.{digits}f}"


def wilson(share: float, count: int) -> Interval:
    """Wilson's interval of a share of `count` pictures, or of the mean share of runs on the same pictures.

    It holds near 0 and 1, and for few pictures, where √(p(1 − p)/n) comes to nothing (Brown, Cai and
    DasGupta 2001). Raises ValueError without pictures.
    """
    if count < 1:
        raise ValueError("a share of no pictures has no interval")
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    # Rounding puts the ends beyond the share itself where it is 0 or 1.
    return Interval(min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share))


def difference_interval(correct_a: Runs, correct_b: Runs) -> Interval:
    """95 % interval of mean accuracy a − b over runs [runs, pictures] of the same pictures in one order.

    A run is a seed; each side may have its own number of them. With one run on a side nothing can be said of
    other seeds, and the interval is of the pictures alone. Otherwise its half width is √(t²·V + z²·W): V is
    the variance that seeds bring to the difference, with Welch's degrees of freedom for t, and W that which
    the choice of pictures brings. Adding squared half widths keeps the coverage where a few seeds happen to
    agree (Burdick and Graybill 1992); runs that answer differently are not taken to agree in accuracy more
    closely than chance would have them. Raises ValueError unless all runs answered equally many pictures.
    """
    if len({len(run) for run in [*correct_a, *correct_b]}) != 1:
        raise ValueError("runs that answered different numbers of pictures cannot be compared")
    a, b = np.asarray(correct_a, dtype=np.float64), np.asarray(correct_b, dtype=np.float64)
    if not a.size or not b.size:
        raise ValueError("without runs and pictures there is nothing to compare")
    differences = a.mean(axis=0) - b.mean(axis=0)
    over_seeds = len(a) > 1 and len(b) > 1
    half_square = Z**2 * _variance_of_pictures(differences)
    if over_seeds:
        half_square = _half_square(a, b, differences)
    middle, half = float(differences.mean()), math.sqrt(half_square)
    return Interval(max(middle - half, -1.0), min(middle + half, 1.0), over_seeds)


def standard_error(share: float, count: int) -> float:
    """√(p(1 − p)/n) of a share of `count` pictures; 0 where it is 0 or 1, so that `wilson` says more."""
    return math.sqrt(share * (1 - share) / count)


def paired_standard_error(correct_a: Sequence[bool], correct_b: Sequence[bool]) -> float:
    """Standard error of accuracy a − b of one run each on the same pictures in one order.

    That of `difference_interval`, so that two runs that answer alike are not told apart by a picture.
    """
    differences = np.asarray(correct_a, dtype=np.float64) - np.asarray(correct_b, dtype=np.float64)
    return math.sqrt(_variance_of_pictures(differences))


def _half_square(a: NDArray[np.float64], b: NDArray[np.float64], differences: NDArray[np.float64]) -> float:
    """t²·V + z²·W for two runs or more on each side."""
    (seeds_a, chance_a), (seeds_b, chance_b) = _variance_of_seeds(a), _variance_of_seeds(b)
    # Pictures that runs of one side answer differently are in both variances, and count once.
    pictures = max(_variance_of_pictures(differences) - chance_a - chance_b, 0.0)
    seeds = seeds_a + seeds_b
    if not seeds:
        return Z**2 * pictures
    freedom = seeds**2 / (seeds_a**2 / (len(a) - 1) + seeds_b**2 / (len(b) - 1))
    t = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))
    return t**2 * seeds + Z**2 * pictures


def _variance_of_seeds(runs: NDArray[np.float64]) -> tuple[float, float]:
    """Of the mean over runs: what seeds bring, and the part of it that is chance picture by picture.

    The second is the least the first can be; two accuracies alone may be equal by accident.
    """
    count, pictures = runs.shape
    means = runs.mean(axis=1)
    rest = runs - runs.mean(axis=0) - means[:, None] + means.mean()
    chance = float((rest**2).sum()) / ((count - 1) * max(pictures - 1, 1)) / pictures
    return max(float(means.var(ddof=1)), chance) / count, chance / count


def _variance_of_pictures(differences: NDArray[np.float64]) -> float:
    """Of the mean difference, as Agresti and Min (2005): half a picture more in each cell of the 2 × 2 table.

    So a few pictures that are all answered alike do not make it 0.
    """
    count = len(differences) + 2
    square = (float((differences**2).sum()) + 1.0) / count
    return (square - (float(differences.sum()) / count) ** 2) / count
