import pytest
import torch

from adapters.kinds.layout import HeadShape, Slot
from service.engine.probabilities import row_probabilities
from service.errors import OutputNotFinite
from service.startup import BARE


def slots(*class_counts: int) -> list[Slot]:
    return [Slot(BARE, row + 1, HeadShape.of(1, count), row, count) for row, count in enumerate(class_counts)]


def test_each_row_has_probabilities_of_its_own_classes_alone() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf, -torch.inf], [1.0, 2.0, 3.0, 4.0]])

    two, four = row_probabilities(logits, slots(2, 4))

    assert not isinstance(two, Exception)
    assert not isinstance(four, Exception)
    assert two.tolist() == [0.5, 0.5]
    assert four.shape == (4,)
    assert four.sum() == pytest.approx(1.0)
    assert four.argmax() == 3


@pytest.mark.parametrize("flaw", [torch.nan, torch.inf])
def test_a_row_that_is_not_finite_gets_its_error_and_spoils_no_other(flaw: float) -> None:
    logits = torch.tensor([[0.0, flaw], [0.0, 0.0]])

    bad, good = row_probabilities(logits, slots(2, 2))

    assert isinstance(bad, OutputNotFinite)
    assert not isinstance(good, Exception)
    assert good.tolist() == [0.5, 0.5]
