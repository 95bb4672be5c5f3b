"""Whether answers are still what they were when the version was measured."""

from collections import deque
from collections.abc import Collection, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from adapters.config import STABLE
from service.metrics import OTHER_TASKS, UNKNOWN_TASK, Metrics
from service.residents.lease import Lease

WINDOW = 1000
FEWEST = 200
"""Pictures before a divergence is told."""
EVERY = 50
"""Pictures between two looks at it."""
Counts = Sequence[int] | NDArray[np.int64]


def divergence(seen: Counts, expected: Counts) -> float:
    """Jensen-Shannon divergence of two counts [C], in bits: 0 where their parts are equal, 1 where disjoint.

    Less what as few pictures of one distribution would show by chance, (K - 1) / (8 ln 2) · (1/n + 1/m) for K
    classes that occur: the leading term of its expansion, as Miller and Madow (1955) took it from entropy.
    """
    counts = np.array([seen, expected], dtype=np.float64)
    counts = counts[:, counts.sum(0) > 0]
    totals = counts.sum(1, keepdims=True)
    parts = counts / totals
    found = _entropy(parts.mean(0)) - (_entropy(parts[0]) + _entropy(parts[1])) / 2
    by_chance: float = (counts.shape[1] - 1) / (8 * log(2)) * float((1 / totals).sum())
    return min(1.0, max(0.0, found - by_chance))


def _entropy(parts: NDArray[np.float64]) -> float:
    there = parts[parts > 0]
    return float(-(there * np.log2(there)).sum())


class PredictionWindow:
    """The likeliest classes of the last `WINDOW` pictures that one version answered."""

    def __init__(self, version: int, expected: Sequence[int]) -> None:
        self.version = version
        self._expected = expected
        self._seen = np.zeros(len(expected), dtype=np.int64)
        self._last: deque[int] = deque()
        self._new = 0

    def add(self, classes: Sequence[int]) -> float | None:
        """Take in the classes of one request's pictures; the divergence where it is time to tell it."""
        for index in classes:
            self._last.append(index)
            self._seen[index] += 1
        while len(self._last) > WINDOW:
            self._seen[self._last.popleft()] -= 1
        self._new += len(classes)
        if self._new < EVERY or len(self._last) < FEWEST:
            return None
        self._new = 0
        return divergence(self._seen, self._expected)


class Drift:
    """Tells the metrics of each answer; belongs to the event loop's thread.

    The divergence is that of the version that answers for `stable`, of tasks with series of their own.
    """

    def __init__(self, metrics: Metrics, tasks: Collection[str]) -> None:
        self._metrics = metrics
        self._tasks = tasks
        self._windows: dict[str, PredictionWindow] = {}

    def answered(self, lease: Lease, best: Sequence[tuple[int, float]]) -> None:
        """A request was answered; `best` has each picture's likeliest class and its probability."""
        metrics, label = self._metrics, self._metrics.task_label(lease.task, self._tasks)
        histogram = metrics.top_probability.labels(label)
        for index, probability in best:
            histogram.observe(probability)
            if verdict := lease.verdict(index, probability):
                metrics.judged_pictures.labels(label, verdict).inc()
        expected = lease.config.acceptance and lease.config.acceptance.predicted
        if lease.label != STABLE or not expected or label in (OTHER_TASKS, UNKNOWN_TASK):
            return
        found = self._window(lease, expected).add([index for index, _ in best])
        if found is not None:
            metrics.class_divergence.labels(label).set(found)

    def _window(self, lease: Lease, expected: Sequence[int]) -> PredictionWindow:
        window = self._windows.get(lease.task)
        if window is None:  # there are as many as tasks with series of their own, so those gone are dropped
            self._windows = {task: each for task, each in self._windows.items() if task in self._tasks}
        if window is None or window.version != lease.version:
            window = self._windows[lease.task] = PredictionWindow(lease.version, expected)
        return window
