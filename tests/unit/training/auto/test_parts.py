"""What candidates are compared on: val, folds, or nothing."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.auto.parts import fold_rows, parted, typical_count
from training.data.departures import SplitName
from training.data.source import Split, TaskData
from training.options.train_config import TrainConfig

CONFIG = TrainConfig(task="x")


def split(name: str, *counts: int, equal: bool = False) -> Split:
    """So many pictures of each class; `equal` ones have one content in pairs."""
    labels = tuple(label for label, count in enumerate(counts) for _ in range(count))
    names = tuple(f"{name}/{row}.png" for row in range(len(labels)))
    contents = tuple(f"{name}{labels[row]}-{row // 2 if equal else row}" for row in range(len(labels)))
    return Split(names, labels, tuple(map(Path, names)), contents)


def data(**counts: tuple[int, ...]) -> TaskData:
    """Splits with so many pictures of each class."""
    classes = tuple(f"class {label}" for label in range(len(counts["train"])))
    splits: dict[SplitName, Split] = {"test": split("test", *[5] * len(classes))}
    for name in ("train", "val"):
        if name in counts:
            splits[name] = split(name, *counts[name])
    return TaskData(classes, splits, "here")


def test_a_val_of_a_hundred_pictures_is_what_counts() -> None:
    parts = parted(data(train=(10, 10), val=(50, 50)), CONFIG)
    assert (parts.folds, parts.why) == (0, "")
    assert parts.held_out.names == parts.pairs[0].splits["val"].names
    assert len(parts.held_out) == 100


def test_val_is_cut_off_where_there_is_none() -> None:
    (pair,) = parted(data(train=(300, 300)), CONFIG).pairs
    assert (len(pair.splits["train"]), len(pair.splits["val"])) == (480, 120)
    assert "val: 120 pictures cut off train" in pair.made[-1]


@pytest.mark.parametrize(
    ("counts", "folds", "why"),
    [
        ({"train": (40, 40), "val": (49, 50)}, 5, "val has 99 pictures (0.80 would be known to ± 0.04)"),
        ({"train": (8, 8), "val": (5, 5)}, 5, "val has 10 pictures (0.80 would be known to ± 0.13)"),
        ({"train": (9, 9), "val": (60, 60)}, 5, "fewer than 10 training pictures without val"),
        ({"train": (4, 4)}, 4, "val has 2 pictures (0.80 would be known to ± 0.28)"),
        ({"train": (2, 2), "val": (1, 1)}, 3, "val has 2 pictures"),
    ],
)
def test_few_pictures_are_dealt_into_folds(counts: dict[str, tuple[int, ...]], folds: int, why: str) -> None:
    given_data = data(**counts)
    parts = parted(given_data, CONFIG)
    assert parts.folds == len(parts.pairs) == folds
    assert why in parts.why
    every = set(given_data.splits["train"].names)
    every |= set(given_data.splits["val"].names) if "val" in counts else set()
    assert sorted(parts.held_out.names) == sorted(every)
    for pair in parts.pairs:
        assert set(pair.splits["train"].names) == every - set(pair.splits["val"].names)
        assert f"of {folds} of both is val" in pair.made[-1]


@pytest.mark.parametrize("counts", [{"train": (1, 1)}, {"train": (2, 2)}, {"train": (1, 1), "val": (1, 1)}])
def test_one_or_two_pictures_of_a_class_tell_nothing(counts: dict[str, tuple[int, ...]]) -> None:
    parts = parted(data(**counts), CONFIG)
    assert (parts.pairs, parts.folds) == ((), 0)
    assert "half of the classes have no more than" in parts.why


def test_many_classes_of_two_pictures_are_compared_on_a_large_val() -> None:
    """As Sun397's 800 and 200 are."""
    classes = 120
    parts = parted(data(train=(1,) * classes, val=(1,) * classes), CONFIG)
    assert (parts.folds, len(parts.held_out)) == (0, classes)
    assert "no more than 2 training pictures" in parts.why


def test_one_rare_class_does_not_make_a_small_task() -> None:
    assert parted(data(train=(300, 300, 2), val=(60, 60, 1)), CONFIG).why == ""
    assert typical_count(split("train", 300, 300, 2)) == 300
    assert typical_count(split("train", 300, 2)) == 2


def test_copies_do_not_count() -> None:
    assert typical_count(split("train", 6, 6, equal=True)) == 3


@given(st.lists(st.integers(3, 9), min_size=2, max_size=4), st.integers(3, 5), st.integers(0, 9))
def test_folds_hold_every_picture_once_and_classes_evenly(counts: list[int], folds: int, seed: int) -> None:
    every, folds = split("train", *counts), min(folds, max(counts))
    dealt = fold_rows(every, folds, seed)
    assert sorted(row for rows in dealt for row in rows) == list(range(len(every)))
    assert dealt == fold_rows(every, folds, seed)
    assert all(dealt)
    for label, count in enumerate(counts):
        held = [Counter(every.labels[row] for row in rows)[label] for rows in dealt]
        assert sum(held) == count
        assert max(held) <= -(-count // folds) + 1


def test_equal_pictures_are_in_one_fold() -> None:
    every = split("train", 10, 10, equal=True)
    places = {content: set[int]() for content in every.contents}
    for number, rows in enumerate(fold_rows(every, 5, seed=1)):
        for row in rows:
            places[every.contents[row]].add(number)
    assert all(len(numbers) == 1 for numbers in places.values())
