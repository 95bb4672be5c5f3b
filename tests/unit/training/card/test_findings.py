import pytest
import torch

from training.card.findings import Findings, LinearBeside, Predictions
from training.uncertainty import difference_interval

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])


def test_accuracy_counts_right_answers() -> None:
    predictions = Predictions(("a", "b", "c"), torch.tensor([0, 1, 0]), LOGITS)
    assert predictions.correct == [True, True, False]
    assert predictions.accuracy == 2 / 3


def answers(labels: list[int], predicted: list[int]) -> Predictions:
    logits = torch.nn.functional.one_hot(torch.tensor(predicted), 3).float()
    return Predictions(tuple(map(str, labels)), torch.tensor(labels), logits)


def test_every_class_that_is_there_counts_alike_in_balanced_accuracy() -> None:
    predictions = answers([0, 0, 0, 0, 2, 2], [0, 0, 0, 1, 2, 0])
    assert predictions.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    label, part = predictions.largest_class
    assert label == 0
    assert part == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    ("labels", "predicted", "no_better"),
    [
        ([0, 0, 0, 1], [0, 0, 0, 0], True),
        ([0, 0, 0, 1], [0, 0, 1, 1], True),
        ([0, 0, 0, 1], [0, 0, 0, 1], False),
        ([0, 0, 0], [0, 0, 0], False),
    ],
)
def test_one_answer_for_all_is_what_accuracy_is_held_against(
    labels: list[int], predicted: list[int], no_better: bool
) -> None:
    assert answers(labels, predicted).no_better_than_one_answer is no_better


def test_the_lead_over_the_linear_head_is_of_the_same_pictures() -> None:
    own, other = answers([0, 1, 2, 0], [0, 1, 2, 1]), answers([0, 1, 2, 0], [0, 2, 1, 0])
    findings = Findings("test", ("a", "b", "c"), own, (), linear=LinearBeside(other, 9, 0.1))
    lead = findings.lead
    assert lead is not None
    assert lead.difference == pytest.approx(0.25)
    assert lead.interval == difference_interval([own.correct], [other.correct])


def test_there_is_no_lead_over_what_was_not_computed() -> None:
    assert Findings("test", ("a", "b", "c"), answers([0, 1], [0, 1]), ()).lead is None


def test_a_linear_head_that_answered_other_pictures_is_refused() -> None:
    own, other = answers([0, 1], [0, 1]), answers([1, 0], [1, 0])
    findings = Findings("test", ("a", "b", "c"), own, (), linear=LinearBeside(other, 9, 0.1))
    with pytest.raises(ValueError, match="other pictures, or in another order"):
        _ = findings.lead
