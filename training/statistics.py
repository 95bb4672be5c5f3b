"""How sure a measured accuracy is."""

import math
from collections.abc import Sequence

import numpy as np


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
