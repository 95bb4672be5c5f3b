"""The temperature that brings probabilities nearer to the truth."""

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional as F

from adapters.kinds.head import Head

HOTTEST = 20.0
PRIOR_DEVIATION = 0.7
"""Of log T: two in three temperatures between a half and twice."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The T in [1/20, 20] with the least cross-entropy of logits [N, C] / T against labels [N].

    Few pictures say little, and all right or all wrong they would say one of the limits: log T has a normal
    prior around 0, which hundreds of pictures outweigh.
    """

    def loss(log_temperature: float) -> float:
        scaled = logits.double() / math.exp(log_temperature)
        prior = 0.5 * (log_temperature / PRIOR_DEVIATION) ** 2
        return float(F.cross_entropy(scaled, labels, reduction="sum")) + prior

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
