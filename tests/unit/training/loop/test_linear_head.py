import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor
from torch.nn import functional as F

from training.errors import Diverged
from training.loop import linear_head
from training.loop.linear_head import (
    ABSENT_BIAS,
    STRENGTHS,
    UNCHOSEN,
    LinearHead,
    answers_out_of_fold,
    fit_linear_head,
)

FEW = settings(max_examples=8, deadline=None)


def pictures(
    counts: list[int], *, width: int = 6, apart: float = 1.0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Features around a mean for each class, columns of very different scale; rows in no order."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=generator)]
    means = apart * torch.randn(len(counts), width, generator=generator)
    features = means[labels] + torch.randn(len(labels), width, generator=generator)
    scale = torch.logspace(-1, 1, width)
    return features * scale + 3 * scale.flip(0), labels


def pipeline_logits(features: Tensor, labels: Tensor, strength: float, asked: Tensor) -> Tensor:
    """Of scikit-learn's own scaler and regression in float64, more than two classes."""
    regression = LogisticRegression(C=strength, tol=1e-7, max_iter=5000)
    pipeline = make_pipeline(StandardScaler(), regression)
    pipeline.fit(features.double().numpy(), labels.numpy())
    return torch.from_numpy(pipeline.decision_function(asked.double().numpy())).float()


def close(a: Tensor, b: Tensor, tolerance: float = 0.02) -> None:
    torch.testing.assert_close(a.softmax(dim=1), b.softmax(dim=1), rtol=0, atol=tolerance)


@pytest.mark.slow
@FEW
@given(
    counts=st.lists(st.integers(2, 30), min_size=3, max_size=5),
    width=st.integers(1, 9),
    apart=st.floats(0, 3),
    seed=st.integers(0, 99),
)
def test_it_answers_as_a_pipeline_on_standardized_features(
    counts: list[int], width: int, apart: float, seed: int
) -> None:
    features, labels = pictures(counts, width=width, apart=apart, seed=seed)
    head = fit_linear_head(features, labels, len(counts))
    assert head.strength in STRENGTHS
    assert head.weight.dtype == head.bias.dtype == head.out_of_fold.dtype == torch.float32
    close(head.logits(features), pipeline_logits(features, labels, head.strength, features))


@pytest.mark.slow
@FEW
@given(counts=st.lists(st.integers(2, 12), min_size=3, max_size=5), seed=st.integers(0, 99))
def test_out_of_fold_logits_are_of_heads_fitted_on_the_other_folds(counts: list[int], seed: int) -> None:
    features, labels = pictures(counts, seed=seed)
    head = fit_linear_head(features, labels, len(counts), seed=seed)
    folds = linear_head._folds(labels.numpy(), 5, seed)
    assert head.folds == len(folds) == min(5, max(counts))
    seen = np.concatenate([left for _, left in folds])
    assert sorted(seen) == list(range(len(labels)))
    for fitted, left in folds:
        assert not set(fitted) & set(left)
        others = pipeline_logits(features[fitted], labels[fitted], head.strength, features[left])
        close(head.out_of_fold[left], others, 0.03)


def test_heads_of_the_same_features_answer_out_of_fold_as_before() -> None:
    features, labels = pictures([9, 12, 7])
    head = fit_linear_head(features, labels, 3)
    for fitted in ([features], [features, features]):
        close(answers_out_of_fold(fitted, features, labels, 3, head.strength), head.out_of_fold, 1e-3)


def test_heads_of_other_features_answer_by_those() -> None:
    features, labels = pictures([30, 30], apart=3.0)
    head = fit_linear_head(features, labels, 2)
    turned = answers_out_of_fold([features.flip(1)], features, labels, 2, head.strength)
    assert F.cross_entropy(turned, labels) > F.cross_entropy(head.out_of_fold, labels)


def test_no_head_was_fitted_on_the_picture_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its logits are an affine function of the picture, which they would not be if it had moved the head."""
    monkeypatch.setattr(linear_head, "STRENGTHS", (0.1,))
    features, labels = pictures([20, 20, 20], apart=0.5)
    heads = []
    for step in range(3):
        other = features.clone()
        other[5] += step * features.std(dim=0)
        heads.append(fit_linear_head(other, labels, 3))
    first, second, third = (head.out_of_fold[5] for head in heads)
    torch.testing.assert_close(third - second, second - first, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(third, second)


def test_labels_that_say_nothing_are_not_learnt_by_heart() -> None:
    features, labels = pictures([30, 30], width=80, apart=0.0)
    head = fit_linear_head(features, labels, 2)
    assert (head.out_of_fold.argmax(dim=1) == labels).double().mean() < 0.7
    assert F.cross_entropy(head.out_of_fold, labels) < 0.75  # a coin has 0.693
    assert head.strength <= 0.003


def test_pictures_that_are_far_apart_are_regularized_less() -> None:
    near = fit_linear_head(*pictures([20, 20, 20], apart=0.3), 3)
    far = fit_linear_head(*pictures([20, 20, 20], apart=5.0), 3)
    assert near.strength < far.strength
    assert (far.out_of_fold.argmax(dim=1) == pictures([20, 20, 20], apart=5.0)[1]).all()


@FEW
@given(count=st.integers(2, 8), seed=st.integers(0, 99))
def test_one_picture_a_class_has_a_fixed_strength_and_no_order(count: int, seed: int) -> None:
    features, labels = pictures([1] * count, width=40, seed=seed)
    head = fit_linear_head(features, labels, count)
    assert (head.strength, head.folds) == (UNCHOSEN, 0)
    torch.testing.assert_close(head.out_of_fold, head.logits(features))
    assert torch.equal(head.out_of_fold.argmax(dim=1), labels)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    other = fit_linear_head(features[order], labels[order], count)
    close(other.out_of_fold, head.out_of_fold[order])
    close(other.logits(features), head.logits(features))


@pytest.mark.slow
@FEW
@given(seed=st.integers(0, 99), factor=st.floats(0.01, 100))
def test_the_scale_of_features_and_of_class_weights_means_nothing(seed: int, factor: float) -> None:
    features, labels = pictures([20, 9, 14], seed=seed)
    weights = torch.tensor([1.0, 2.0, 0.5])
    head = fit_linear_head(features, labels, 3, class_weights=weights)
    other = fit_linear_head(features * factor + 1, labels, 3, class_weights=weights * factor)
    assert other.strength == head.strength
    close(other.logits(features * factor + 1), head.logits(features))
    close(other.out_of_fold, head.out_of_fold)


def test_class_weights_count_as_so_many_pictures() -> None:
    features, labels = pictures([30, 3, 30], apart=0.7)
    plain = fit_linear_head(features, labels, 3)
    weighted = fit_linear_head(features, labels, 3, class_weights=torch.tensor([1.0, 10.0, 1.0]))
    rare = labels == 1
    assert (
        weighted.logits(features).softmax(dim=1)[rare, 1].mean()
        > 2 * plain.logits(features).softmax(dim=1)[rare, 1].mean()
    )


@pytest.mark.parametrize("counts", [[12, 0, 9, 1], [0, 1, 1, 0], [0, 0, 4, 0], [0, 1, 0, 0], [2, 2, 0, 0]])
def test_classes_without_pictures_are_finite_and_never_answered(counts: list[int]) -> None:
    features, labels = pictures(counts)
    head = fit_linear_head(features, labels, 4)
    absent = torch.tensor(counts) == 0
    assert (head.bias[absent] == ABSENT_BIAS).all()
    assert not head.weight[absent].any()
    assert head.out_of_fold.shape == (len(labels), 4)
    for logits in (head.logits(features * 9), head.out_of_fold):
        assert logits.isfinite().all()
        assert (logits.softmax(dim=1)[:, absent] < 5e-5).all()


def test_a_class_with_one_picture_beside_larger_ones_has_no_say_in_the_choice() -> None:
    features, labels = pictures([25, 25, 1], apart=2.0)
    with_one = fit_linear_head(features, labels, 3)
    row = int((labels == 2).nonzero())
    assert with_one.folds == 5
    assert with_one.out_of_fold[row, 2] == ABSENT_BIAS
    other = features.clone()
    other[row] = -features[labels == 0][0] * 3
    assert fit_linear_head(other, labels, 3).strength == with_one.strength


def test_a_feature_that_never_varies_has_no_weight() -> None:
    features, labels = pictures([9, 9, 9])
    constant = torch.full((27, 3), 0.1) * torch.tensor([0.0, 1.0, 1e6])
    nearly = 1000 + 1e-4 * torch.randn(27, 1)
    head = fit_linear_head(torch.cat([features, constant, nearly], dim=1), labels, 3)
    assert not head.weight[:, -4:].any()
    close(
        F.linear(features, head.weight[:, :6], head.bias),
        fit_linear_head(features, labels, 3).logits(features),
    )


def test_the_same_seed_gives_the_same_bits() -> None:
    features, labels = pictures([8, 11, 5], apart=0.4)
    heads = [fit_linear_head(features, labels, 3, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert torch.equal(heads[0].out_of_fold, heads[1].out_of_fold)
    assert not torch.equal(heads[0].out_of_fold, heads[2].out_of_fold)


def test_many_pictures_are_chosen_by_fewer_and_all_are_left_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = pictures([200, 190, 210], apart=0.6)
    alone = fit_linear_head(features, labels, 3)
    monkeypatch.setattr(linear_head, "MANY", 500)
    monkeypatch.setattr(linear_head, "CHOOSING", 200)
    head = fit_linear_head(features, labels, 3)
    assert (alone.folds, head.folds) == (5, 3)
    close(head.logits(features), pipeline_logits(features, labels, head.strength, features))
    for fitted, left in linear_head._folds(labels.numpy(), 3, 0):
        others = pipeline_logits(features[fitted], labels[fitted], head.strength, features[left])
        close(head.out_of_fold[left], others)


def test_nothing_is_said_where_it_does_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_head, "STEPS", 1)
    features, labels = pictures([8, 2, 5], apart=0.4)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert isinstance(fit_linear_head(features, labels, 3), LinearHead)
    assert not said


def blas_threads() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.mark.parametrize("counts", [[2] * 30, [2] * 5 + [1] * 25])
def test_nothing_is_said_of_many_classes_of_few_pictures(counts: list[int]) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit_linear_head(*pictures(counts), len(counts))
    assert not said


def test_every_fit_is_on_one_thread_and_others_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[set[int]] = []
    fit = LogisticRegression.fit

    def watched(self: LogisticRegression, *given: object) -> object:
        used.append(blas_threads())
        return fit(self, *given)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    features, labels = pictures([8, 4, 5])
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        head = fit_linear_head(features, labels, 3)
        chosen = len(used)
        answers_out_of_fold([features], features, labels, 3, head.strength)
        assert blas_threads() == before
    assert 0 < chosen < len(used)
    assert used == [{1}] * len(used)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_features_that_are_no_numbers_are_refused(value: float) -> None:
    features, labels = pictures([3, 3])
    features[2, 1] = features[2, 3] = features[4, 0] = value
    with pytest.raises(
        Diverged, match=r"features of 2 of 6 training pictures are no finite .* --precision fp32"
    ):
        fit_linear_head(features, labels, 2)


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        ([0, 1], None, "are no pictures"),
        ([0, 1, 2, 0], None, "labels 0 to 2 are not of 2 classes"),
        ([0, 1, -1, 0], None, "labels -1 to 1 are not of 2 classes"),
        ([0, 1, 1, 0], [1.0], "class weights must be 2 positive numbers"),
        ([0, 1, 1, 0], [1.0, 0.0], "class weights must be 2 positive numbers"),
        ([0, 1, 1, 0], [1.0, torch.nan], "class weights must be 2 positive numbers"),
    ],
)
def test_labels_and_weights_that_do_not_fit_are_refused(
    labels: list[int], weights: list[float] | None, message: str
) -> None:
    class_weights = None if weights is None else torch.tensor(weights)
    with pytest.raises(ValueError, match=message):
        fit_linear_head(torch.randn(4, 3), torch.tensor(labels), 2, class_weights=class_weights)
