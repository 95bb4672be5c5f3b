import os
from pathlib import Path

import pytest

from training.data.readers.vtab import is_list_folder, read_lists
from training.errors import DataUnusable


def write_lists(folder: Path, **lists: str) -> Path:
    (folder / "images").mkdir(parents=True)
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text)
        for line in text.splitlines():
            (folder / line.rpartition(" ")[0].strip()).write_bytes(b"")
    return folder


def test_lists_become_splits(tmp_path: Path) -> None:
    folder = write_lists(
        tmp_path / "pets",
        train800="images/a.jpg 0\nimages/b c.jpg 1\n", val200="images/d.jpg 1\n",
        train800val200="images/a.jpg 0\nimages/b c.jpg 1\nimages/d.jpg 1\n", test="images/e.jpg 0\n",
    )  # fmt: skip
    data = read_lists(folder)
    assert is_list_folder(folder)
    assert {name: split.names for name, split in data.splits.items()} == {
        "train": ("images/a.jpg", "images/b c.jpg"), "val": ("images/d.jpg",), "test": ("images/e.jpg",),
    }  # fmt: skip
    assert data.splits["train"].labels == (0, 1)
    assert data.classes == ("class 0", "class 1")


def test_a_folder_with_the_joint_list_only(tmp_path: Path) -> None:
    folder = write_lists(tmp_path / "pets", train800val200="images/a.jpg 0\nimages/b.jpg 1\n")
    assert set(read_lists(folder).splits) == {"train"}


def test_the_thousand_lines_of_the_joint_list_are_train_and_then_val(tmp_path: Path) -> None:
    lines = "".join(f"images/{row:04d}.jpg {row % 2}\n" for row in range(1000))
    data = read_lists(write_lists(tmp_path / "pets", train800val200=lines))
    assert [len(data.splits["train"]), len(data.splits["val"])] == [800, 200]
    assert data.splits["val"].names[0] == "images/0800.jpg"
    assert data.made == ("train, val: the first 800 and the other 200 lines of train800val200.txt",)


def test_class_names_are_read(tmp_path: Path) -> None:
    folder = write_lists(tmp_path / "pets", train800="images/a.jpg 0\nimages/b.jpg 1\n")
    (folder / "classes.txt").write_text("cat\ndog\n\n")
    assert read_lists(folder).classes == ("cat", "dog")


@pytest.mark.parametrize("line", ["images/a.jpg", "images/a.jpg cat", "images/a.jpg -1", " 3"])
def test_a_line_that_does_not_parse_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "train800.txt").write_text("\n" + line + "\n")
    with pytest.raises(DataUnusable, match=r"train800.txt, line 2: expected 'file label'"):
        read_lists(tmp_path)


def test_missing_pictures_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "train800.txt").write_text("images/a.jpg 0\nimages/b.jpg 1\n")
    with pytest.raises(DataUnusable, match=r"2 of its pictures are not there.*a\.jpg"):
        read_lists(tmp_path)


def test_the_real_eurosat_lists(data_root: Path) -> None:
    data = read_lists(data_root / "vtab-1k" / "eurosat")
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 800, "val": 200, "test": 3000
    }  # fmt: skip
    assert data.classes[:2] == ("AnnualCrop", "Forest")
    names = [set(split.names) for split in data.splits.values()]
    assert len(set.union(*names)) == 4000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_are_read_as_editors_save_them(tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / "pets"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a b.jpg").write_bytes(b"")
    (folder / "images" / "\u2028c.jpg").write_bytes(b"")
    rows = "images/a b.jpg\t0\r\nimages/\u2028c.jpg 1\r\n"
    (folder / "train800.txt").write_bytes(rows.encode(encoding))
    (folder / "classes.txt").write_bytes("a\nb".encode(encoding))

    data = read_lists(folder)

    assert data.splits["train"].names == ("images/a b.jpg", "images/\u2028c.jpg")
    assert data.splits["train"].labels == (0, 1)
    assert data.classes == ("a", "b")


def test_names_that_are_no_text_find_their_files(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xe9.jpg")).write_bytes(b"")
    (tmp_path / "train800.txt").write_bytes(b"\xe9.jpg 0\n")
    (tmp_path / "classes.txt").write_bytes(b"\xe9\n")

    data = read_lists(tmp_path)

    assert data.splits["train"].names == (r"\xe9.jpg",)
    assert data.classes == (r"\xe9",)


def test_a_label_that_would_make_a_million_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train800.txt").write_text("a.jpg 1000000\n")
    with pytest.raises(DataUnusable, match="line 1: label 1000000 has over 5 digits"):
        read_lists(tmp_path)
