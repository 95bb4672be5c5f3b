"""Thresholds by which a service accepts an answer or abstains, from answers whose truth is known."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapters.kinds.acceptance import Acceptance

FEWEST = 10
"""Answers of a class for a threshold of its own; with fewer it has that of all classes together."""
DIGITS = 4


def measured_acceptance(
    logits: Tensor, labels: Tensor, *, precision: float, false_alarms: float
) -> Acceptance:
    """Logits [N, C], divided by their temperature, and labels [N] → thresholds that fit them.

    A class's threshold is the least with which `precision` of its accepted answers are right. `none_below` is
    what `false_alarms` of the likeliest probabilities are below.
    """
    best = logits.double().softmax(1).max(1)
    sure, predicted = best.values.numpy(), best.indices.numpy()
    right = predicted == labels.numpy()
    common = _least_threshold(sure, right, precision)
    thresholds = [common] * logits.shape[1]
    counts = np.bincount(predicted, minlength=logits.shape[1])
    for label in np.flatnonzero(counts >= FEWEST):
        own = predicted == label
        thresholds[label] = _least_threshold(sure[own], right[own], precision)
    none_below = _rounded_down(float(np.quantile(sure, false_alarms, method="lower")))
    accepted = (sure >= np.array(thresholds)[predicted]) & (sure >= none_below)
    return Acceptance(
        thresholds=tuple(thresholds),
        none_below=none_below,
        precision=precision,
        pictures=len(right),
        accepted=round(float(accepted.mean()), DIGITS),
        accepted_precision=round(float(right[accepted].mean()), DIGITS) if accepted.any() else None,
        false_alarms=round(float((sure < none_below).mean()), DIGITS),
        predicted=tuple(counts.tolist()),
    )


def _least_threshold(sure: NDArray[np.float64], right: NDArray[np.bool_], precision: float) -> float:
    """The least probability from which on so large a part of answers [n] is right; 1 if there is none."""
    order = np.argsort(-sure, kind="stable")
    parts = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Answers that are equally sure are accepted together.
    last = np.append(np.diff(sure[order]) != 0, True)
    enough = np.flatnonzero((parts >= precision) & last)
    return _rounded_down(float(sure[order][enough[-1]])) if len(enough) else 1.0


def _rounded_down(probability: float) -> float:
    scale = 10.0**DIGITS
    return float(np.floor(probability * scale) / scale)
