"""Thresholds do what they were asked for on the answers they are from."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.loop.acceptance import measured_acceptance


def answers(
    seed: int, pictures: int, classes: int, sharpness: float = 3.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels of a classifier that is the surer the more often it is right."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(pictures, classes, generator=draw) * sharpness
    labels = torch.multinomial(logits.softmax(1), 1, generator=draw)[:, 0]
    return logits, labels


@given(
    seed=st.integers(0, 99),
    pictures=st.integers(1, 300),
    classes=st.integers(1, 6),
    asked=st.sampled_from([0.5, 0.9, 0.99]),
)
def test_accepted_answers_of_a_class_are_right_as_often_as_asked(
    seed: int, pictures: int, classes: int, asked: float
) -> None:
    logits, labels = answers(seed, pictures, classes)
    found = measured_acceptance(logits, labels, precision=asked, false_alarms=0.0)
    sure, predicted = (part.numpy() for part in logits.double().softmax(1).max(1))
    right = predicted == labels.numpy()
    for label in range(classes):
        own = predicted == label
        taken = own & (sure >= found.thresholds[label])
        if own.sum() >= 10 and taken.any() and found.thresholds[label] < 1:
            # Thresholds are rounded down, so that an answer of equal size may come in besides.
            assert right[taken].mean() >= asked - 1 / taken.sum()
    verdicts = [found.verdict(int(index), float(value)) for index, value in zip(predicted, sure, strict=True)]
    accepted = np.array([verdict == "accepted" for verdict in verdicts])
    assert found.accepted == pytest.approx(accepted.mean(), abs=1e-4)
    assert found.pictures == pictures
    assert found.predicted == tuple(int((predicted == label).sum()) for label in range(classes))
    assert len(found.thresholds) == classes


def test_no_more_known_pictures_than_asked_are_taken_for_none() -> None:
    logits, labels = answers(1, 400, 5)
    found = measured_acceptance(logits, labels, precision=0.0, false_alarms=0.05)
    sure = logits.double().softmax(1).max(1).values
    assert 0.03 <= float((sure < found.none_below).double().mean()) <= 0.05
    assert found.false_alarms <= 0.05
    strict = measured_acceptance(logits, labels, precision=0.0, false_alarms=0.0)
    assert strict.false_alarms == 0


def test_a_class_that_is_never_right_enough_is_never_accepted() -> None:
    logits = torch.zeros(40, 2)
    logits[:20, 0], logits[20:, 1] = 2.0, 3.0
    labels = torch.cat([torch.tensor([0, 1]).repeat(10), torch.ones(20, dtype=torch.long)])
    found = measured_acceptance(logits, labels, precision=0.9, false_alarms=0.0)
    assert found.thresholds[0] == 1.0
    assert found.verdict(0, 0.89) == "below_threshold"
    assert found.verdict(1, float(logits.softmax(1)[-1, 1])) == "accepted"
    assert (found.accepted, found.accepted_precision) == (0.5, 1.0)


def test_a_class_with_few_answers_has_the_threshold_of_all() -> None:
    logits, labels = answers(2, 200, 4)
    rare = torch.cat([logits, torch.full((200, 1), -9.0)], dim=1)
    found = measured_acceptance(rare, labels, precision=0.9, false_alarms=0.05)
    sure, predicted = (part.numpy() for part in rare.double().softmax(1).max(1))
    taken = sure >= found.thresholds[4]
    assert (predicted[taken] == labels.numpy()[taken]).mean() >= 0.9 - 1 / taken.sum()
    assert len(set(found.thresholds)) > 2


def test_where_nothing_is_right_nothing_is_accepted() -> None:
    logits, labels = torch.tensor([[2.0, 0.0]] * 5), torch.ones(5, dtype=torch.long)
    found = measured_acceptance(logits, labels, precision=0.95, false_alarms=0.05)
    assert (found.accepted, found.accepted_precision) == (0.0, None)
