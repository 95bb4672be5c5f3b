"""Two or more things timed in turn in one run, so that what else the machine does falls on all of them."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

Call = Callable[[], object]
Clock = Callable[[], float]
ROUNDS = 4000


@dataclass(frozen=True)
class Ratio:
    """Median of the pairs' ratios, and its 95 % interval by bootstrap over the pairs."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def interleave(
    sides: Mapping[str, Call], rounds: int, *, warm: int = 1, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each call of each side: one of each side a round, in an order drawn anew each time.

    `time.thread_time` for a clock leaves out what other processes take, of sides that run in one thread.
    """
    order = list(sides)
    for name in order * warm:
        sides[name]()
    times: dict[str, list[float]] = {name: [] for name in sides}
    shuffle = random.Random(0)
    for _ in range(rounds):
        shuffle.shuffle(order)
        for name in order:
            times[name].append(seconds(sides[name], clock))
    return times


def seconds(call: Call, clock: Clock = time.perf_counter) -> float:
    """Wall time of one call, which must itself wait for the device, or what another clock says of it."""
    began = clock()
    call()
    return clock() - began


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """Ratio of two sides' times, round by round."""
    pairs = np.asarray(numerator) / np.asarray(denominator)
    draws = np.random.default_rng(0).integers(len(pairs), size=(ROUNDS, len(pairs)))
    low, high = np.quantile(np.median(pairs[draws], axis=1), [0.025, 0.975])
    return Ratio(float(np.median(pairs)), float(low), float(high))


def rounded(measured: Ratio) -> dict[str, float]:
    """Four digits of a ratio, for a result file."""
    return {key: float(f"{value:.4g}") for key, value in asdict(measured).items()}
