from pathlib import Path

import pytest

from training.data.source import Split, TaskData, check
from training.errors import DataUnusable


def split(*labels: int) -> Split:
    names = tuple(f"{row}.png" for row in range(len(labels)))
    return Split(names, labels, tuple(Path(name) for name in names))


def test_good_data_passes() -> None:
    check(TaskData(("a", "b"), {"train": split(0, 1), "test": split(1)}, "here"))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (TaskData((), {"train": split(0)}, "here"), "here: no classes"),
        (TaskData(("a",), {"train": split(0)}, "here"), "only the class 'a'"),
        (TaskData(("a", "b", "a"), {"train": split(0, 1, 2)}, "here"), "not distinct: a"),
        (TaskData(("a", " "), {"train": split(0, 1)}, "here"), r"not distinct: \(blank\)"),
        (TaskData(("a", "b", "c"), {"train": split(0)}, "here"), "no training pictures of b, c"),
        (TaskData(("a", "b"), {"train": split(0, 1, 2)}, "here"), "label 2 in train, but 2 classes"),
        (TaskData(("a", "b"), {"train": split(0, 1), "val": split()}, "here"), "the val split is empty"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(data: TaskData, complaint: str) -> None:
    with pytest.raises(DataUnusable, match=complaint):
        check(data)


def test_splits_add_up() -> None:
    assert (split(0, 1) + split(2)).labels == (0, 1, 2)
    assert split(3, 4, 5).rows([2, 0]).labels == (5, 3)
