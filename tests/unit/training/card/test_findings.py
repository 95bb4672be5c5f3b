import pytest
import torch

from training.card.findings import Predictions

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
