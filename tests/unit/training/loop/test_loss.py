import torch
from torch.nn import functional as F

from training.loop.loss import batch_loss

LOGITS = torch.tensor([[2.0, -1.0], [0.5, 0.0], [1.0, 0.3], [0.1, 0.7]])
LABELS = torch.tensor([0, 1, 0, 1])
WEIGHTS = torch.tensor([1.0, 3.0])


def test_smoothed_labels_have_the_loss_of_what_they_are_spread_to() -> None:
    loss, right = batch_loss(LOGITS, LABELS, 0.2, None)
    spread = 0.8 * F.one_hot(LABELS, 2) + 0.1
    torch.testing.assert_close(loss, F.cross_entropy(LOGITS, spread))
    assert right == 3


def test_a_weight_counts_as_so_many_pictures() -> None:
    repeated = torch.tensor([0, 1, 1, 1, 2, 3, 3, 3])
    weighted, _ = batch_loss(LOGITS, LABELS, 0.2, WEIGHTS)
    plain, _ = batch_loss(LOGITS[repeated], LABELS[repeated], 0.2, None)
    torch.testing.assert_close(weighted, plain)


def test_a_mixed_picture_weighs_by_its_shares_and_is_right_for_the_larger() -> None:
    shares = torch.tensor([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]])
    loss, right = batch_loss(LOGITS, shares, 0.0, WEIGHTS)
    weights = shares @ WEIGHTS
    losses = -(shares * LOGITS.log_softmax(dim=1)).sum(dim=1)
    torch.testing.assert_close(loss, (weights * losses).sum() / weights.sum())
    assert right == 3
