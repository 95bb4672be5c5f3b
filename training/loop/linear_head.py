"""The linear head on frozen features: multinomial logistic regression, computed at once.

It is what every other method is held against, and what a head can start from. The strength of its
regularization is scikit-learn's `C`, the variance of a normal prior of the weights of standardized features.

Heads are fitted on one thread: their products of matrices are small, and threads that wait for each other
in between take many times as long, the more so where another process has the cores.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn import functional as F

from training.errors import Diverged

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
Fold = tuple[Rows, Rows]  # the pictures that are fitted, and those that are left out

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
UNCHOSEN = 0.3
"""The strength where no picture can be left out to choose it."""
FOLDS = 5
MANY = 20_000
"""From more pictures on, about CHOOSING of them choose the strength, in FOLDS_OF_MANY folds."""
CHOOSING = 5_000
FOLDS_OF_MANY = 3
ABSENT_BIAS = -10.0
"""Of a class without pictures. The others' logits have the mean 0, so that its probability is below 5e-5."""
STEPS = 300
STEPS_OF_MANY = 50
"""Of L-BFGS, with more than MANY pictures: later steps move logits that are right already."""
LEAST_SPREAD = 1e-5
"""Of a feature, as a part of its mean: what varies less is constant, as float32 could not tell it apart."""


@dataclass(frozen=True)
class LinearHead:
    """A linear map of features as the backbone gives them, and its answers to pictures it was not fitted on.

    `weight` [C, D], `bias` [C], all float32. `strength` is the inverse regularization that was chosen.
    `out_of_fold` [N, C] are logits of each training picture by a head of that strength that was not fitted on
    it. There were `folds` such heads; 0 says that there could be none, as no class has two pictures, and that
    `out_of_fold` is by the head itself.
    """

    weight: Tensor
    bias: Tensor
    strength: float
    out_of_fold: Tensor
    folds: int = 0

    def logits(self, features: Tensor) -> Tensor:
        """Features [B, D] → logits [B, C] float32."""
        return F.linear(features.to(self.weight), self.weight, self.bias)

    def divided_by(self, temperature: float) -> "LinearHead":
        """The head whose logits, also those out of fold, are divided by a temperature."""
        weight, bias = self.weight / temperature, self.bias / temperature
        return replace(self, weight=weight, bias=bias, out_of_fold=self.out_of_fold / temperature)


@dataclass(frozen=True)
class _Pictures:
    """Features [N, D], labels [N], and how much each picture counts [N]."""

    features: Array
    labels: Rows
    weights: Array

    def part(self, rows: Rows) -> "_Pictures":
        return _Pictures(self.features[rows], self.labels[rows], self.weights[rows])


class _Path:
    """Heads on the same pictures for rising strengths: each fit starts where the last one ended."""

    def __init__(self, pictures: _Pictures, class_count: int) -> None:
        self._class_count = class_count
        self._present = np.unique(pictures.labels)
        self._labels, self._weights = pictures.labels, pictures.weights
        self._mean = pictures.features.mean(axis=0, dtype=np.float64)
        spread = pictures.features.std(axis=0, dtype=np.float64)
        constant = spread <= np.maximum(LEAST_SPREAD * np.abs(self._mean), np.finfo(np.float32).tiny)
        self._scale = np.where(constant, 1.0, spread)
        self._standardized = ((pictures.features - self._mean) / self._scale).astype(np.float32)
        self._standardized[:, constant] = 0.0
        self._regression = LogisticRegression(
            max_iter=STEPS_OF_MANY if len(self._labels) > MANY else STEPS, warm_start=True
        )

    def head(self, strength: float) -> tuple[Tensor, Tensor]:
        """Weight [C, D] and bias [C], standardization folded in."""
        weight = np.zeros((self._class_count, len(self._mean)))
        bias = np.full(self._class_count, ABSENT_BIAS)
        weight[self._present], bias[self._present] = self._fitted(strength)
        return torch.from_numpy(weight).float(), torch.from_numpy(bias).float()

    def _fitted(self, strength: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight and bias of the classes that have pictures."""
        if len(self._present) == 1:
            return np.zeros((1, len(self._mean))), np.zeros(1)
        with warnings.catch_warnings():  # a fit may end early, and few pictures of a class are no regression
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            self._regression.set_params(C=strength).fit(self._standardized, self._labels, self._weights)
        weight = self._regression.coef_.astype(np.float64) / self._scale
        bias = self._regression.intercept_ - weight @ self._mean
        if len(self._present) == 2:  # scikit-learn's one row is the second class over the first
            return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        return weight, bias


def fit_linear_head(
    features: Tensor, labels: Tensor, class_count: int, *, class_weights: Tensor | None = None, seed: int = 0
) -> LinearHead:
    """Features [N, D], labels [N] → the head, of the strength that answers left-out pictures best.

    Strengths rise until the cross-entropy of left-out pictures does. There are five folds, drawn class by
    class from `seed`, or as many as the largest class has pictures; its class's only picture has no say in
    the choice. Of more than 20,000 pictures about 5,000 choose, and folds are three. Where no class has two
    pictures the strength is fixed. A class without pictures gets zeros and a bias that keeps it below 5e-5.
    `class_weights` [C] say how much a picture of each class counts; a common factor means nothing. Raises
    Diverged for features that are no finite numbers, ValueError for labels or weights that do not fit.
    """
    pictures = _checked(features, labels, class_count, class_weights)
    with threadpool_limits(1, "blas"):
        return _fitted_head(pictures, class_count, seed)


def _fitted_head(pictures: _Pictures, class_count: int, seed: int) -> LinearHead:
    count = len(pictures.labels)
    folds = _folds(pictures.labels, FOLDS if count <= MANY else FOLDS_OF_MANY, seed)
    strength, out_of_fold = UNCHOSEN, None
    if count > MANY and folds:
        chosen_by = _folds(pictures.labels, count // CHOOSING, seed)[0][1]
        some = pictures.part(chosen_by)
        strength, _ = _choose(some, _folds(some.labels, FOLDS_OF_MANY, seed), class_count)
        heads = (_Path(pictures.part(fitted), class_count).head(strength) for fitted, _ in folds)
        out_of_fold = _left_out(pictures, folds, heads, class_count)
    elif folds:
        strength, out_of_fold = _choose(pictures, folds, class_count)
    weight, bias = _Path(pictures, class_count).head(strength)
    if out_of_fold is None:
        out_of_fold = F.linear(torch.from_numpy(pictures.features), weight, bias)
    return LinearHead(weight, bias, strength, out_of_fold, len(folds))


def answers_out_of_fold(
    fitted: Sequence[Tensor],
    answered: Tensor,
    labels: Tensor,
    class_count: int,
    strength: float,
    *,
    class_weights: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """Logits [N, C] of the features `answered` [N, D], each by a head that was not fitted on its picture.

    The heads are fitted to other features of the same pictures, `fitted`: some [N, D] one after the other,
    which count as much as one of them. Folds are those of `fit_linear_head`, whose `labels`, `class_weights`
    and ValueError these are too; there has to be a class with two pictures.
    """
    folds = _folds(labels.numpy(), FOLDS, seed)
    every = [_checked(features, labels, class_count, class_weights) for features in fitted]
    heads = (
        _Path(_joined([one.part(rows) for one in every]), class_count).head(strength) for rows, _ in folds
    )
    with threadpool_limits(1, "blas"):
        return _left_out(_checked(answered, labels, class_count, class_weights), folds, heads, class_count)


def _joined(parts: Sequence[_Pictures]) -> _Pictures:
    """The same pictures in several makes, each with its share of what the picture counts."""
    return _Pictures(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.weights / len(parts) for part in parts]),
    )


def _choose(pictures: _Pictures, folds: list[Fold], class_count: int) -> tuple[float, Tensor]:
    """The strength with the least cross-entropy of left-out pictures, and their logits [N, C]."""
    labels = torch.from_numpy(pictures.labels)
    not_alone = np.bincount(pictures.labels)[pictures.labels] > 1
    weights = torch.from_numpy(pictures.weights * not_alone)
    paths = [_Path(pictures.part(fitted), class_count) for fitted, _ in folds]
    chosen, least, out_of_fold = UNCHOSEN, np.inf, torch.empty(0)
    for strength in STRENGTHS:
        logits = _left_out(pictures, folds, (path.head(strength) for path in paths), class_count)
        loss = float(weights @ F.cross_entropy(logits, labels, reduction="none"))
        if loss >= least:
            break
        chosen, least, out_of_fold = strength, loss, logits
    return chosen, out_of_fold


def _left_out(
    pictures: _Pictures, folds: list[Fold], heads: Iterable[tuple[Tensor, Tensor]], class_count: int
) -> Tensor:
    """Logits [N, C] of each picture by the head of the fold that left it out."""
    logits = torch.empty(len(pictures.labels), class_count)
    for (_, left), (weight, bias) in zip(folds, heads, strict=True):
        logits[left] = F.linear(torch.from_numpy(pictures.features[left]), weight, bias)
    return logits


def _folds(labels: Rows, count: int, seed: int) -> list[Fold]:
    """Stratified folds, no more than the largest class has pictures; none where that has one."""
    count = min(count, int(np.bincount(labels).max()))
    if count < 2:
        return []
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class with fewer pictures has them in different folds
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(splitter.split(np.empty((len(labels), 0)), labels))


def _checked(features: Tensor, labels: Tensor, class_count: int, class_weights: Tensor | None) -> _Pictures:
    """The pictures as arrays, their weights with the mean 1. Raises Diverged and ValueError."""
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(f"features {tuple(features.shape)} and labels {tuple(labels.shape)} are no pictures")
    if labels.min() < 0 or labels.max() >= class_count:
        raise ValueError(f"labels {labels.min()} to {labels.max()} are not of {class_count} classes")
    rows = features.detach().float().cpu()
    if wrong := int((~rows.isfinite().all(dim=1)).sum()):
        raise Diverged(
            f"features of {wrong} of {len(rows)} training pictures are no finite numbers: the backbone's "
            "weights are damaged, or need more precision; try --precision fp32"
        )
    weights = torch.ones(class_count) if class_weights is None else class_weights.detach().float().cpu()
    if weights.shape != (class_count,) or not bool((weights.isfinite() & (weights > 0)).all()):
        raise ValueError(f"class weights must be {class_count} positive numbers")
    numbers = labels.detach().long().cpu()
    of_pictures = weights[numbers]
    return _Pictures(rows.numpy(), numbers.numpy(), (of_pictures / of_pictures.mean()).numpy())
