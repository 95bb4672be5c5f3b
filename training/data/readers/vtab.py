"""Folders of VTAB-1k lists: train800.txt, val200.txt, train800val200.txt, test.txt, lines of `file label`."""

from collections.abc import Iterable
from pathlib import Path

from training.data.departures import SplitName
from training.data.source import Split, TaskData
from training.errors import DataUnusable

LISTS = ("train800.txt", "train800val200.txt")
TRAIN, JOINT = 800, 1000
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
    data = TaskData(_classes(folder, splits.values()), splits, f"VTAB-1k lists in {folder.name}")
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
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(" ")
        if not name or not label.isdecimal():
            raise DataUnusable(f"{path}, line {number}: expected 'file label', found '{line[:80]}'")
        names.append(name.strip())
        labels.append(int(label))
    pictures = tuple(path.parent / name for name in names)
    missing = [picture for picture in pictures if not picture.is_file()]
    if missing:
        raise DataUnusable(f"{path}: {len(missing)} of its pictures are not there, the first is {missing[0]}")
    return Split(tuple(names), tuple(labels), pictures)


def _classes(folder: Path, splits: Iterable[Split]) -> tuple[str, ...]:
    file = folder / "classes.txt"
    if file.is_file():
        return tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    highest = max((label for split in splits for label in split.labels), default=-1)
    return tuple(f"class {label}" for label in range(highest + 1))
