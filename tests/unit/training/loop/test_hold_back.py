from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from training.loop.hold_back import LEAST_PICTURES, HeldBack, rows_to_hold_back


def _answers(labels: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Mostly right, surer of some than of others."""
    noise = torch.randn(len(labels), 5, generator=torch.Generator().manual_seed(seed))
    return noise + 2 * F.one_hot(labels, 5)


def test_a_fifth_of_each_class_is_held_back() -> None:
    labels = torch.arange(5).repeat_interleave(40)
    rows = rows_to_hold_back(labels, _answers(labels), 0.2, seed=3)
    assert rows is not None
    assert labels[rows].bincount().tolist() == [8] * 5


@pytest.mark.parametrize("share", [0.1, 0.3, 0.4, 0.5, 0.67, 0.8, 0.95])
def test_so_much_of_each_class_is_held_back_as_is_asked_for(share: float) -> None:
    labels = torch.arange(5).repeat_interleave(100)
    rows = rows_to_hold_back(labels, _answers(labels), share, seed=3)
    assert rows is not None
    assert labels[rows].bincount().tolist() == pytest.approx([100 * share] * 5, abs=1)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.7])
def test_every_picture_is_held_back_by_some_seeds_and_no_more_often_than_others(share: float) -> None:
    labels = torch.arange(5).repeat_interleave(20)
    times = torch.zeros(100)
    for seed in range(400):
        rows = rows_to_hold_back(labels, _answers(labels), share, seed)
        times[torch.as_tensor(rows)] += 1
    assert (times / 400 - share).abs().max() < 5 * (share * (1 - share) / 400) ** 0.5


def test_a_fifth_is_what_it_was() -> None:
    """A run that was begun goes on with the pictures that it began with."""
    labels = torch.arange(103) % 5
    rows = torch.as_tensor(rows_to_hold_back(labels, _answers(labels), 0.2, seed=1))
    assert rows.tolist() == [
        0, 11, 16, 18, 23, 24, 29, 31, 37, 39, 40, 62, 65, 66, 67, 75, 77, 78, 93, 94, 97
    ]  # fmt: skip


def test_what_is_held_back_is_as_hard_as_all() -> None:
    labels = torch.arange(1000) % 5
    answers = _answers(labels)
    wrong = F.cross_entropy(answers, labels, reduction="none")
    gaps = []
    for seed in range(5):
        rows = rows_to_hold_back(labels, answers, 0.2, seed)
        assert rows is not None
        gaps.append(abs(float(wrong[rows].mean() - wrong.mean())))
    by_chance = float(wrong.std()) / 200**0.5
    assert max(gaps) < by_chance / 2


def test_the_seed_draws_the_rows() -> None:
    labels = torch.arange(1000) % 5
    drawn = [rows_to_hold_back(labels, _answers(labels), 0.2, seed) for seed in (0, 0, *range(1, 6))]
    assert torch.equal(torch.as_tensor(drawn[0]), torch.as_tensor(drawn[1]))
    assert len({tuple(torch.as_tensor(rows).tolist()) for rows in drawn}) > 1


def test_too_few_pictures_are_all_trained_on() -> None:
    labels = torch.arange(5 * (LEAST_PICTURES - 2)) % 5
    assert rows_to_hold_back(labels, _answers(labels), 0.2, seed=0) is None


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=300),
    st.integers(0, 9),
    st.sampled_from([0.2, 0.4, 0.7, 0.99, 1 - 2**-53]),
)
def test_rows_are_of_the_pictures_and_leave_every_class_some(
    drawn: list[int], seed: int, share: float
) -> None:
    labels = torch.tensor(drawn)
    rows = rows_to_hold_back(labels, _answers(labels), share, seed)
    if rows is None:
        return
    early = HeldBack(rows, 1, lambda: torch.zeros(0)).early(len(labels))
    assert sorted([*rows.tolist(), *early.tolist()]) == list(range(len(labels)))
    assert {drawn[row] for row in early.tolist()} == set(drawn)
    assert len(rows) >= LEAST_PICTURES
