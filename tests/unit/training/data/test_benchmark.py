from pathlib import Path

import pytest

from training.data.benchmark import as_benchmark, other_sizes, with_absences
from training.data.catalogue import TASKS
from training.data.source import Split, TaskData, check
from training.errors import DataUnusable


def split(name: str, *labels: int) -> Split:
    names = tuple(f"{name}/{row}.png" for row in range(len(labels)))
    return Split(names, labels, tuple(Path(one) for one in names))


def numbered(count: int, train: Split, test: Split) -> TaskData:
    return TaskData(tuple(f"class {n}" for n in range(count)), {"train": train, "test": test}, "a test")


def words(data: TaskData, task: str) -> list[str]:
    return [str(departure) for departure in other_sizes(data, TASKS[task])]


def test_the_head_has_the_catalogues_classes_though_some_have_no_picture() -> None:
    data = as_benchmark(numbered(3, split("train", 0, 2), split("test", 1)), TASKS["sun397"])
    check(data)
    assert len(data.classes) == 397
    assert data.classes[:3] == ("class 0", "class 1", "class 2")
    assert data.source == "Sun397, a test"


def test_more_classes_than_the_catalogue_are_refused_with_the_picture() -> None:
    data = numbered(11, split("train", 0, 1), split("test", 10, 3))
    with pytest.raises(
        DataUnusable, match=r"label 10 in test \(test/0.png\), but SVHN .* has 10, labels 0 to 9"
    ):
        as_benchmark(data, TASKS["svhn"])


def test_one_class_only_is_refused_for_a_benchmark_too() -> None:
    data = as_benchmark(numbered(3, split("train", 2, 2), split("test", 1)), TASKS["svhn"])
    with pytest.raises(DataUnusable, match="pictures of one class only"):
        check(data)


def test_splits_of_another_size_are_labelled() -> None:
    train, val, test = split("a", *[0] * 800), split("b", *[0] * 200), split("c", *[0] * 711)
    official = TaskData(("a", "b"), {"train": train, "val": val, "test": test}, "here")
    assert other_sizes(official, TASKS["kitti"]) == ()
    assert words(official, "dmlab") == [
        "test: 711 pictures, not the 22735 of the official VTAB-1k split of DMLab"
    ]
    short = TaskData(("a", "b"), {"train": val, "val": val, "test": test}, "here")
    assert words(short, "kitti") == [
        "train: 200 pictures, not the 800 of the official VTAB-1k split of KITTI/distance"
    ]
    assert words(short, "cub") == [
        "test: 711 pictures, not the 5794 of the official FGVC split of CUB-200-2011"
    ]


def test_a_split_that_is_not_there_is_not_the_benchmarks() -> None:
    """What is then cut off train is not what others test on."""
    data = TaskData(("a", "b"), {"train": split("a", *[0] * 800)}, "here")
    assert [(size.splits, size.pictures) for size in other_sizes(data, TASKS["kitti"])] == [
        (("val",), 0), (("test",), 0)
    ]  # fmt: skip
    assert [size.splits for size in other_sizes(data, TASKS["cub"])] == [("test",)]


def test_classes_without_pictures_are_counted_in_words() -> None:
    data = numbered(3, split("train", 0, 1, 2), split("test", 1))
    assert with_absences(data).made == ("test: no pictures of 2 of 3 classes",)
