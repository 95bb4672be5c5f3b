import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.readers.fgvc import is_json_folder, read_json
from training.errors import DataUnusable

Folder = Callable[..., Path]


def birds(part: str, *classes: int | str, each: int = 1) -> dict[str, int | str]:
    return {f"{part}_{name}_{number}.png": name for name in classes for number in range(each)}


def test_lists_become_splits(fgvc_folder: Folder) -> None:
    folder = fgvc_folder(train=birds("a", 0, 1, each=2), val=birds("b", 1), test=birds("c", 0))
    data = read_json(folder)
    assert is_json_folder(folder)
    assert {name: split.labels for name, split in data.splits.items()} == {
        "train": (0, 0, 1, 1), "val": (1,), "test": (0,)
    }  # fmt: skip
    assert data.classes == ("class 0", "class 1")
    assert data.source == "FGVC lists in birds"
    assert not data.made


@pytest.mark.parametrize("images", ["images", "Images", ""])
def test_pictures_are_in_the_folder_or_in_its_images(fgvc_folder: Folder, images: str) -> None:
    folder = fgvc_folder(images=images, train=birds("a", 0, 1), val=birds("b", 0))
    assert read_json(folder).splits["val"].pictures == (folder / images / "b_0_0.png",)


def test_numbers_are_ordered_as_numbers_wherever_they_begin(fgvc_folder: Folder) -> None:
    folder = fgvc_folder(train={"a.png": "10", "b.png": 9, "c.png": "200"}, val={"d.png": 9})
    data = read_json(folder)
    assert data.splits["train"].labels == (1, 0, 2)
    assert data.classes == ("class 9", "class 10", "class 200")


def test_words_name_the_classes(fgvc_folder: Folder) -> None:
    folder = fgvc_folder(train={"a.png": "wren", "b.png": "robin"}, val={"c.png": "wren"})
    data = read_json(folder)
    assert data.classes == ("robin", "wren")
    assert data.splits["train"].labels == (1, 0)


def test_folders_of_the_pictures_name_numbered_classes(fgvc_folder: Folder) -> None:
    train = {"001.Auk/a.png": 1, "001.Auk/b.png": 1, "002.Wren/c.png": 2}
    assert read_json(fgvc_folder("own", train=train, val={"002.Wren/d.png": 2})).classes == (
        "001.Auk",
        "002.Wren",
    )
    shared = {"jpg/a.png": 1, "jpg/b.png": 2}
    assert read_json(fgvc_folder("shared", train=shared)).classes == ("class 1", "class 2")


def test_without_val_a_tenth_of_train_becomes_it(fgvc_folder: Folder) -> None:
    folder = fgvc_folder(train=birds("a", 0, 1, 2, 3, each=30), test=birds("c", 0))
    data = read_json(folder, seed=1)
    assert (len(data.splits["train"]), len(data.splits["val"])) == (108, 12)
    assert Counter(data.splits["val"].labels) == {0: 3, 1: 3, 2: 3, 3: 3}
    assert not set(data.splits["train"].names) & set(data.splits["val"].names)
    assert data.made == ("val: 12 pictures, the paper's 90/10 split of train, drawn by class, seed 1",)


def test_a_percentage_is_read_from_its_own_list_with_all_classes(fgvc_folder: Folder) -> None:
    folder = fgvc_folder(
        train=birds("a", 0, 1, 2, each=10),
        train_10=birds("a", 0, 1),
        val=birds("b", 0),
        test=birds("c", 1),
    )
    data = read_json(folder, 10)
    assert data.splits["train"].names == ("a_0_0.png", "a_1_0.png")
    assert data.thinned == {"train"}
    assert data.made == ("train: 10 % of the pictures, from train_10.json",)
    assert len(data.classes) == 3
    assert len(read_json(folder, 20).splits["train"]) == len(read_json(folder).splits["train"]) == 30


def test_a_percentage_without_val_is_split_and_not_thinned_again(fgvc_folder: Folder) -> None:
    folder = fgvc_folder(train=birds("a", 0, 1, each=100), train_10=birds("a", 0, 1, each=10))
    data = read_json(folder, 10)
    assert (len(data.splits["train"]), len(data.splits["val"])) == (18, 2)
    assert data.thinned == {"train", "val"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a.png": 1', "cannot be read"),
        ("[1, 2]", r"expected \{file: class\}"),
        ('{"a.png": 1, "b.png": 2, "a.png": 2}', "named more than once: a.png"),
        (
            '{"a.png": 1.5, "b.png": true, "c.png": " "}',
            "neither a whole number nor a word: a.png: 1.5, b.png: True",
        ),
        ('{"a.png": 1, "gone.png": 2}', r"1 of its pictures are not there.*gone\.png"),
    ],
)
def test_lists_that_cannot_be_used_are_refused(fgvc_folder: Folder, text: str, complaint: str) -> None:
    folder = fgvc_folder(train=birds("a", 0, 1))
    (folder / "a.png").write_bytes(b"")
    (folder / "train.json").write_text(text)
    with pytest.raises(DataUnusable, match=complaint):
        read_json(folder)


def test_a_folder_without_a_training_list_is_another_layout(tmp_path: Path) -> None:
    (tmp_path / "test.json").write_text(json.dumps({}))
    assert not is_json_folder(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_are_read_as_editors_save_them(fgvc_folder: Folder, encoding: str) -> None:
    folder = fgvc_folder(train=birds("a", 0, 1), val=birds("b", 1))
    for name in ("train", "val"):
        file = folder / f"{name}.json"
        file.write_bytes(file.read_text().encode(encoding))
    assert read_json(folder).splits["train"].labels == (0, 1)
