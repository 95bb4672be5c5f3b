"""Folders of VTAB-1k lists: train800.txt, val200.txt, train800val200.txt, test.txt, lines of `file label`."""

from collections.abc import Iterable
from pathlib import Path

from training.data.departures import SplitName
from training.data.readers.text_file import file_name, numbered_lines
from training.data.source import Split, TaskData
from training.errors import DataUnusable
from training.path_text import text_of

LISTS = ("train800.txt", "train800val200.txt")
TRAIN, JOINT = 800, 1000
MOST_DIGITS = 5
"""Of a label: every number below it is a class, with a name."""
LAYOUT = "VTAB-1k lists: {train800,val200,train800val200,test}.txt with lines 'images/test/000000.jpg 3'"


def is_list_folder(folder: Path) -> bool:
    """Whether the folder holds training lists as VTAB-1k writes them."""
    return any((folder / name).is_file() for name in LISTS)


def read_lists(folder: Path) -> TaskData:
    """Read every list of the folder; `classes.txt`, one name a line, is optional.

    Raises DataUnusable for lines that do not parse and files that are not there.
    """
    train = "train800.txt" if (folder / "train800.txt").is_file() else "train800val200.txt"
    files: dict[SplitName, str] = {"train": train, "test": "test.txt"}
    if train == "train800.txt":
        files["val"] = "val200.txt"
    splits = {name: _read_list(folder / file) for name, file in files.items() if (folder / file).is_file()}
    data = TaskData(_classes(folder, splits.values()), splits, f"VTAB-1k lists in {text_of(folder.name)}")
    joint = data.splits["train"]
    if "val" in files or len(joint) != JOINT:
        return data
    how = f"train, val: the first {TRAIN} and the other {JOINT - TRAIN} lines of {train}"
    parts: dict[SplitName, Split] = {
        "train": joint.rows(range(TRAIN)),
        "val": joint.rows(range(TRAIN, JOINT)),
    }
    return data.with_splits(parts, how)


def _read_list(path: Path) -> Split:
    names, labels = [], []
    for number, line in numbered_lines(path):
        name, label = ["", *line.rsplit(maxsplit=1)][-2:]
        if not name or not label.isdecimal():
            found = text_of(file_name(line[:80]))
            raise DataUnusable(f"{text_of(path)}, line {number}: expected 'file label', found '{found}'")
        if len(label) > MOST_DIGITS:
            raise DataUnusable(
                f"{text_of(path)}, line {number}: label {label[:80]} has over {MOST_DIGITS} digits"
            )
        names.append(file_name(name))
        labels.append(int(label))
    pictures = tuple(path.parent / name for name in names)
    missing = [picture for picture in pictures if not picture.is_file()]
    if missing:
        raise DataUnusable(
            f"{text_of(path)}: {len(missing)} of its pictures are not there, the first is "
            f"{text_of(missing[0])}"
        )
    return Split(tuple(map(text_of, names)), tuple(labels), pictures)


def _classes(folder: Path, splits: Iterable[Split]) -> tuple[str, ...]:
    file = folder / "classes.txt"
    if file.is_file():
        return tuple(text_of(file_name(line)) for _, line in numbered_lines(file))
    highest = max((label for split in splits for label in split.labels), default=-1)
    return tuple(f"class {label}" for label in range(highest + 1))
