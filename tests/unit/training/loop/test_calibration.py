import pytest
import torch
from torch import Tensor

from adapters.kinds.head import Head
from training.loop.calibration import fit_temperature, fold_temperature
from training.methods.heads import MlpHead
from training.uncertainty import Reliability


def sampled(temperature: float, count: int = 4000) -> tuple[Tensor, Tensor]:
    """Logits whose labels are drawn from their softmax at a temperature."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(count, 5, generator=generator)
    labels = torch.multinomial((logits / temperature).softmax(dim=1), 1, generator=generator).squeeze(1)
    return logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_labels_were_drawn_at_is_found(temperature: float) -> None:
    logits, labels = sampled(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.08)


def test_answers_that_are_all_right_or_all_wrong_leave_it_finite() -> None:
    logits, labels = 3 * torch.eye(4).repeat(500, 1), torch.arange(4).repeat(500)
    assert 1 / 20 <= fit_temperature(logits, labels) < 0.5
    assert fit_temperature(logits, (labels + 1) % 4) > 10


def test_few_pictures_move_it_little() -> None:
    logits, labels = 3 * torch.eye(4), torch.arange(4)
    assert 0.6 < fit_temperature(logits, labels) < 1
    assert fit_temperature(logits, labels) > fit_temperature(logits.repeat(20, 1), labels.repeat(20))


def test_the_error_falls_to_that_of_chance_at_the_right_temperature() -> None:
    logits, labels = sampled(2.5)
    before = Reliability.of(logits, labels)
    after = Reliability.of(logits / fit_temperature(logits, labels), labels)
    assert before.error > 0.2
    assert after.error < 0.03
    assert before.pictures.sum() == after.pictures.sum() == len(labels)


def test_folding_divides_the_logits_and_changes_no_answer() -> None:
    torch.manual_seed(0)
    for head in (Head(8, 5), Head(8, 5, layers=3)):
        features = torch.randn(500, 8)
        before = head(features)
        fold_temperature(head, 3.7)
        torch.testing.assert_close(head(features), before / 3.7)
        assert torch.equal(head(features).argmax(dim=1), before.argmax(dim=1))


def test_a_head_that_is_not_plain_is_refused() -> None:
    with pytest.raises(TypeError, match="plain head"):
        fold_temperature(MlpHead(8, 5, 2, 0.1), 2.0)
