"""CSV files as other programs write them."""

from pathlib import Path

import pytest

from tests.support.pictures import encoded, noise
from training.data.readers.lists import read_list
from training.errors import DataUnusable


def listed(folder: Path, text: str, encoding: str, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(encoded(noise(1, (4, 4))))
    (folder / "list.csv").write_bytes(text.encode(encoding))
    return folder / "list.csv"


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_names_may_hold_what_is_the_end_of_a_line_elsewhere(tmp_path: Path, odd: str, end: str) -> None:
    name = f"a{odd}b.png"
    file = listed(tmp_path, end.join(["path,label", f"{name},x", "c.png,y", ""]), "utf-8", name, "c.png")
    assert read_list(file).splits["train"].names == (name, "c.png")


def test_a_quoted_name_may_hold_the_end_of_a_line(tmp_path: Path) -> None:
    name = "a\nb.png"
    file = listed(tmp_path, f'path,label\n"{name}",x\nc.png,y\n', "utf-8", name, "c.png")
    assert read_list(file).splits["train"].names == (name, "c.png")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spreadsheets_write_several_encodings(tmp_path: Path, encoding: str) -> None:
    file = listed(tmp_path, "path;label\r\né.png;Käfer\r\nb.png;Auk\r\n", encoding, "é.png", "b.png")
    data = read_list(file)
    assert data.classes == ("Auk", "Käfer")
    assert data.splits["train"].names == ("é.png", "b.png")


def test_utf_16_of_the_other_order(tmp_path: Path) -> None:
    file = listed(tmp_path, "\ufeffpath,label\na.png,x\nb.png,y\n", "utf-16-be", "a.png", "b.png")
    assert read_list(file).classes == ("x", "y")


def test_half_a_character_of_utf_16_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("path,label\n".encode("utf-16") + b"a")
    with pytest.raises(DataUnusable, match="begins as UTF-16 and is none: truncated data"):
        read_list(tmp_path / "list.csv")


def test_a_fold_is_no_split(tmp_path: Path) -> None:
    file = listed(tmp_path, "path,label,fold\na.png,x,0\nb.png,y,1\n", "utf-8", "a.png", "b.png")
    assert {name: len(split) for name, split in read_list(file).splits.items()} == {"train": 2}
