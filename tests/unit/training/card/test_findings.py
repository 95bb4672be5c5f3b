import torch

from training.card.findings import Predictions

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])


def test_accuracy_counts_right_answers() -> None:
    predictions = Predictions(("a", "b", "c"), torch.tensor([0, 1, 0]), LOGITS)
    assert predictions.correct == [True, True, False]
    assert predictions.accuracy == 2 / 3
