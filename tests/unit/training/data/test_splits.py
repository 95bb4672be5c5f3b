import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.source import Split, TaskData
from training.data.splits import cut, draw, draw_off, training_part, with_percent, with_test, with_val
from training.errors import DataUnusable


def new_split(*counts: int) -> Split:
    labels = tuple(label for label, count in enumerate(counts) for _ in range(count))
    names = tuple(f"{row}.png" for row in range(len(labels)))
    return Split(names, labels, tuple(Path(name) for name in names))


def new_data(split: Split) -> TaskData:
    return TaskData(("ant", "bee", "cat"), {"train": split}, "a test")


def test_parts_are_disjoint_whole_and_stratified() -> None:
    rest, part = cut(new_split(50, 100, 20), 0.2, seed=0)
    assert not set(rest.names) & set(part.names)
    assert len(rest) + len(part) == 170
    assert Counter(part.labels) == {0: 10, 1: 20, 2: 4}


def test_the_same_seed_cuts_the_same_part() -> None:
    split = new_split(30, 30)
    assert cut(split, 0.2, seed=1) == cut(split, 0.2, seed=1)
    assert cut(split, 0.2, seed=1) != cut(split, 0.2, seed=2)


def test_a_source_with_one_split_gets_all_three_and_says_how() -> None:
    data = with_val(with_test(new_data(new_split(50, 50, 50)), 0.2, 0), 0.25, 0)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 90, "val": 30, "test": 30}
    names = [name for split in data.splits.values() for name in split.names]
    assert len(set(names)) == 150
    assert [how.split(":")[0] for how in data.made] == ["test", "val"]


def test_splits_of_the_source_are_left_alone() -> None:
    data = new_data(new_split(5, 5, 5)).with_splits(
        {"test": new_split(1, 1, 1), "val": new_split(1)}, "given"
    )
    assert with_val(with_test(data, 0.2, 0), 0.2, 0) == data


def test_trainval_is_both() -> None:
    data = with_val(new_data(new_split(50, 50, 50)), 0.2, 0)
    assert len(training_part(data, "train")) == 120
    assert sorted(training_part(data, "trainval").names) == sorted(new_split(50, 50, 50).names)


def test_a_class_with_one_picture_is_named() -> None:
    with pytest.raises(DataUnusable, match=r"one picture only of cat \(1 of 3 classes\).*add pictures"):
        with_test(new_data(new_split(5, 5, 1)), 0.2, 0)


def test_a_part_smaller_than_the_classes_is_refused() -> None:
    with pytest.raises(
        DataUnusable, match=r"no test part .*: 2 of 6 pictures .* --test-fraction of 0\.5, or"
    ):
        cut(new_split(2, 2, 2), 0.2, seed=0)


@given(st.lists(st.integers(2, 30), min_size=2, max_size=30), st.sampled_from((0.001, 0.999)))
def test_the_fraction_that_a_refusal_names_can_be_cut(counts: list[int], fraction: float) -> None:
    split = new_split(*counts)
    with pytest.raises(DataUnusable, match="--test-fraction") as refused:
        cut(split, fraction, seed=0)
    named = re.search(r"--test-fraction of (0\.\d+)", str(refused.value))
    assert named
    rest, taken = cut(split, float(named[1]), seed=0)
    assert min(len(rest), len(taken)) >= len(counts)


def test_a_draw_keeps_the_proportions() -> None:
    split = new_split(600, 300, 100)
    drawn = draw(split.labels, 100, seed=0)
    assert drawn == sorted(set(drawn))
    assert Counter(split.labels[row] for row in drawn) == {0: 60, 1: 30, 2: 10}
    assert drawn == draw(split.labels, 100, seed=0) != draw(split.labels, 100, seed=1)


def test_a_draw_smaller_than_the_classes_are_many_takes_each_class_once_at_most() -> None:
    labels = [label for label in range(397) for _ in range(5)]
    counts = Counter(labels[row] for row in draw(labels, 200, seed=0))
    assert len(counts) == counts.total() == 200


def test_what_is_drawn_off_is_missing_from_the_rest() -> None:
    rest, part = draw_off(new_split(8, 2), 5, seed=0)
    assert Counter(part.labels) == {0: 4, 1: 1}
    assert sorted(rest.names + part.names) == sorted(new_split(8, 2).names)


def test_a_benchmark_with_lonely_classes_can_still_be_split() -> None:
    data = replace(new_data(new_split(8, 1, 1)), fixed_classes=True)
    assert len(with_val(data, 0.2, 0).splits["val"]) == 2


def test_a_percentage_of_what_is_trained_on_is_kept_and_labelled() -> None:
    data = with_val(new_data(new_split(50, 50, 100)), 0.25, 0)
    both = with_percent(data, 10, 0, "trainval")
    assert {name: len(split) for name, split in both.splits.items()} == {"train": 15, "val": 5}
    assert both.made[-2:] == (
        "train: 15 of 150 pictures (10 %), drawn by class, seed 0",
        "val: 5 of 50 pictures (10 %), drawn by class, seed 0",
    )
    assert len(with_percent(data, 10, 0, "train").splits["val"]) == 50
    assert with_percent(both, 10, 0, "trainval") == both
    assert with_percent(data, 100, 0, "trainval") == data
