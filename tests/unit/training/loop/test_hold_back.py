from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from training.loop.hold_back import LEAST_PICTURES, HeldBack, rows_to_hold_back


def test_val_is_held_back_as_it_is() -> None:
    labels = [0, 1] * 50
    rows = rows_to_hold_back(labels, 25, 0.2, seed=0)
    assert rows is not None
    assert rows.tolist() == list(range(75, 100))


def test_of_a_val_that_is_most_of_all_a_part_of_all_is_held_back() -> None:
    labels = [0, 1] * 100
    rows = rows_to_hold_back(labels, 150, 0.2, seed=0)
    assert rows is not None
    assert len(rows) == 40
    assert torch.tensor(labels)[rows].sum() == 20


def test_without_val_a_part_of_each_class_is_held_back() -> None:
    labels = [0] * 90 + [1] * 60
    rows = rows_to_hold_back(labels, 0, 0.2, seed=3)
    assert rows is not None
    assert torch.tensor(labels)[rows].bincount().tolist() == [18, 12]


def test_too_few_pictures_are_all_trained_on() -> None:
    assert rows_to_hold_back([0, 1] * 40, LEAST_PICTURES - 1, 0.2, seed=0) is None
    assert rows_to_hold_back([0, 1] * 10, 0, 0.2, seed=0) is None
    assert rows_to_hold_back([0] * 99 + [1], 0, 0.2, seed=0) is None


def test_no_class_is_held_back_as_a_whole() -> None:
    assert rows_to_hold_back([0] * 100 + [1] * 30, 30, 0.2, seed=0) is None


@given(st.lists(st.integers(0, 4), min_size=2, max_size=300), st.integers(0, 300), st.integers(0, 9))
def test_rows_are_of_the_pictures_and_leave_every_class_some(labels: list[int], val: int, seed: int) -> None:
    rows = rows_to_hold_back(labels, min(val, len(labels)), 0.2, seed)
    if rows is None:
        return
    early = HeldBack(rows, 1, lambda: torch.zeros(0)).early(len(labels))
    assert sorted([*rows.tolist(), *early.tolist()]) == list(range(len(labels)))
    assert {labels[row] for row in early.tolist()} == set(labels)
    assert LEAST_PICTURES <= len(rows) <= len(early)
