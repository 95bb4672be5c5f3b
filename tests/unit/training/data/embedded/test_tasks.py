from __future__ import annotations

from typing import cast

import pytest

from training.data.embedded import EMBEDDED_TASKS, Split, load_embedded

SPLITS: tuple[Split, ...] = ("train", "val", "trainval", "test")
DRAWN = {"train": 800, "val": 200, "trainval": 1000, "test": 2000}
SIZES = {
    "digits": {"train": 1077, "val": 270, "trainval": 1347, "test": 450},
    "sprites-orientation": DRAWN,
    "sprites-location": DRAWN,
    "sprites-location-6000": {"train": 5400, "val": 600, "trainval": 6000, "test": 2000},
    "scene-count": DRAWN,
    "scene-distance": DRAWN,
    "scene-angle": DRAWN,
}


@pytest.mark.parametrize("name", sorted(EMBEDDED_TASKS))
@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_its_size_form_and_all_classes(name: str, split: Split) -> None:
    pictures, labels = load_embedded(name, split)
    assert len(pictures) == len(labels) == SIZES[name][split]
    assert {(picture.mode, picture.size) for picture in pictures} == {("RGB", (64, 64))}
    assert set(labels) == set(range(len(EMBEDDED_TASKS[name].classes)))


@pytest.mark.parametrize("name", sorted(EMBEDDED_TASKS))
def test_trainval_is_train_then_val_and_loading_repeats(name: str) -> None:
    both, both_labels = load_embedded(name, "trainval")
    train, train_labels = load_embedded(name, "train")
    val, val_labels = load_embedded(name, "val")
    assert both_labels == train_labels + val_labels
    assert [one.tobytes() for one in both] == [one.tobytes() for one in train + val]


def test_class_names_differ() -> None:
    for task in EMBEDDED_TASKS.values():
        assert len(set(task.classes)) == len(task.classes)


def test_an_unknown_task_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no embedded task 'digit'.*digits, scene-angle"):
        load_embedded("digit", "train")


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no split 'all'.*trainval"):
        load_embedded("digits", cast("Split", "all"))
