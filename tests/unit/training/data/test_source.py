from pathlib import Path

import pytest

from training.data.source import Split, TaskData, absent_classes, check, listed
from training.errors import DataUnusable


def split(*labels: int, part: str = "") -> Split:
    names = tuple(f"{part}{row}.png" for row in range(len(labels)))
    return Split(names, labels, tuple(Path(name) for name in names))


def test_good_data_passes() -> None:
    check(TaskData(("a", "b"), {"train": split(0, 1), "test": split(1, part="test/")}, "here"))


def test_a_class_may_have_its_pictures_in_any_split_that_is_trained_on() -> None:
    data = TaskData(("a", "b", "c"), {"train": split(0, 1), "val": split(2, part="val/")}, "here")
    check(data, ("train", "val"))
    with pytest.raises(DataUnusable, match="no training pictures of c"):
        check(data)
    with pytest.raises(DataUnusable, match="no training pictures of c"):
        check(data.with_splits({"val": split(1, part="val/")}, "other"), ("train", "val"))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (TaskData((), {"train": split(0)}, "here"), "here: no classes"),
        (TaskData(("a",), {"train": split(0)}, "here"), "only the class 'a'"),
        (TaskData(("a", "b", "a"), {"train": split(0, 1, 2)}, "here"), "not distinct: a"),
        (TaskData(("a", " "), {"train": split(0, 1)}, "here"), r"not distinct: \(blank\)"),
        (TaskData(("a", "b", "c"), {"train": split(0)}, "here"), "no training pictures of b, c"),
        (
            TaskData(("a", "b"), {"train": split(0, 2, 1)}, "here"),
            r"label 2 in train \(of 1\.png\), but 2 classes, labels 0 to 1",
        ),
        (
            TaskData(tuple("abcd"), {"train": split(0, 1)}, "here"),
            "no training pictures of c, d",
        ),
        (
            TaskData(("a", "b"), {"train": split(0, 1) + split(1)}, "here"),
            r"named more than once in train: 0\.png",
        ),
        (
            TaskData(("a", "b"), {"train": split(0, 1), "test": split(1)}, "here"),
            r"in train and in test: 0\.png",
        ),
        (TaskData(("a", "b", "c"), {"train": split(1, 1)}, "here", fixed_classes=True), "one class only"),
        (TaskData(("a", "b"), {"train": split(0, 1), "val": split()}, "here"), "the val split is empty"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(data: TaskData, complaint: str) -> None:
    with pytest.raises(DataUnusable, match=complaint):
        check(data)


def test_a_benchmarks_classes_may_have_no_training_pictures() -> None:
    data = TaskData(("a", "b", "c"), {"train": split(0, 2)}, "here", fixed_classes=True)
    check(data)
    assert absent_classes(data, "train") == ("b",)


def test_long_lists_of_names_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c"], most=1) == "a and 2 more"


def test_splits_add_up() -> None:
    assert (split(0, 1) + split(2)).labels == (0, 1, 2)
    assert split(3, 4, 5).rows([2, 0]).labels == (5, 3)
