from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.readers.imagefolder import read_image_folder
from training.errors import DataUnusable

Make = Callable[..., Path]


def test_split_folders(picture_folder: Make) -> None:
    data = read_image_folder(picture_folder(train=3, valid=2, test=1))
    assert data.classes == ("amber", "blue", "coral")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 9, "val": 6, "test": 3}
    assert data.splits["test"].names[1] == "test/blue/000.png"
    assert data.splits["test"].labels == (0, 1, 2)


def test_flat_class_folders_are_one_split(picture_folder: Make) -> None:
    data = read_image_folder(picture_folder(flat=2))
    assert set(data.splits) == {"train"}
    assert data.splits["train"].names[0] == "amber/000.png"


def test_other_files_and_hidden_folders_are_passed_over(picture_folder: Make) -> None:
    root = picture_folder(train=1)
    (root / "train" / "amber" / "notes.txt").write_text("no picture")
    (root / "train" / ".cache").mkdir()
    assert len(read_image_folder(root).splits["train"]) == 3


def test_no_class_folders(tmp_path: Path) -> None:
    with pytest.raises(DataUnusable, match="no class folders; expected an ImageFolder"):
        read_image_folder(tmp_path)


def test_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(
        DataUnusable, match="no class folders, left out: 1 empty folders: train/cat; expected an ImageFolder"
    ):
        read_image_folder(tmp_path)


def test_a_class_that_train_does_not_have(picture_folder: Make) -> None:
    root = picture_folder(train=1, test=1)
    (root / "test" / "amber").rename(root / "test" / "Amber")
    with pytest.raises(DataUnusable, match=r"no training pictures of Amber, .*\(train has amber\)"):
        read_image_folder(root)
