"""Folders with VPT's FGVC lists: {train,val,test}.json of {file: class}, and train_{percent}.json."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from training.data.departures import SplitName
from training.data.readers.class_order import in_order
from training.data.source import Split, TaskData, listed
from training.data.splits import draw_off
from training.errors import DataUnusable

LAYOUT = (
    'FGVC lists as VPT writes them: {train,val,test}.json with {"001.Albatross/a.jpg": 1, ...}, '
    "val.json and train_{percent}.json optional, files in the folder or in its images/"
)
IMAGE_FOLDERS = ("", "images", "Images")
VAL_FRACTION = 0.1


@dataclass(frozen=True)
class _List:
    path: Path
    classes: Mapping[str, str]


def is_json_folder(folder: Path) -> bool:
    """Whether the folder holds a training list as VPT writes it."""
    return (folder / "train.json").is_file()


def read_json(folder: Path, percent: int = 100, seed: int = 0) -> TaskData:
    """Read the lists; `train_{percent}.json` instead of train where it is there and percent is below 100.

    Without val.json, a tenth of train becomes val, as in the paper. Classes are whole numbers or words; their
    order gives the labels. Raises DataUnusable for lists that do not parse and files that are not there.
    """
    thin = folder / f"train_{percent}.json"
    thinned = percent < 100 and thin.is_file()
    whole = folder / "train.json"
    files: dict[SplitName, Path] = {
        "train": thin if thinned else whole, "val": folder / "val.json", "test": folder / "test.json",
    }  # fmt: skip
    # All of train counts for the classes: a tenth of it may miss some.
    known = {path: _List(path, _read(path)) for path in (whole, *files.values()) if path.is_file()}
    classes = in_order({name for one in known.values() for name in one.classes.values()})
    splits = {name: _split(known[path], classes) for name, path in files.items() if path in known}
    data = TaskData(
        _class_names(classes, known.values()),
        splits,
        f"FGVC lists in {folder.name}",
        (f"train: {percent} % of the pictures, from {thin.name}",) if thinned else (),
        thinned=frozenset({"train"}) if thinned else frozenset(),
    )
    return data if "val" in splits else _with_val(data, seed)


def _with_val(data: TaskData, seed: int) -> TaskData:
    train, val = draw_off(data.splits["train"], max(1, round(len(data.splits["train"]) * VAL_FRACTION)), seed)
    how = f"val: {len(val)} pictures, the paper's 90/10 split of train, drawn by class, seed {seed}"
    thinned: frozenset[SplitName] = frozenset({"train", "val"}) if data.thinned else frozenset()
    return replace(data.with_splits({"train": train, "val": val}, how), thinned=thinned)


def _read(path: Path) -> Mapping[str, str]:
    try:
        found = json.loads(path.read_bytes(), object_pairs_hook=list)
    except (ValueError, OSError) as error:
        raise DataUnusable(f"{path} cannot be read: {error}") from error
    if not _is_table(found):
        raise DataUnusable(f"{path}: expected {{file: class}}, found {str(found)[:80]}")
    twice = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
    if twice:
        raise DataUnusable(f"{path}: named more than once: {listed(twice)}")
    wrong = [f"{name}: {value!r}" for name, value in found if not _is_class(value)]
    if wrong:
        raise DataUnusable(f"{path}: classes that are neither a whole number nor a word: {listed(wrong)}")
    return {name: str(value).strip() for name, value in found}


def _is_table(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(one, tuple) for one in found)


def _is_class(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int) and not isinstance(value, bool)


def _split(one: _List, classes: tuple[str, ...]) -> Split:
    label = {name: index for index, name in enumerate(classes)}
    found = [_picture(one.path.parent, name) for name in one.classes]
    missing = [name for name, picture in zip(one.classes, found, strict=True) if picture is None]
    if missing:
        raise DataUnusable(
            f"{one.path}: {len(missing)} of its pictures are not there, looked in {one.path.parent} and its "
            f"images: {listed(missing)}"
        )
    pictures = tuple(picture for picture in found if picture is not None)
    return Split(tuple(one.classes), tuple(label[name] for name in one.classes.values()), pictures)


def _picture(folder: Path, name: str) -> Path | None:
    places = (folder / part / name for part in IMAGE_FOLDERS)
    return next((place for place in places if place.is_file()), None)


def _class_names(classes: tuple[str, ...], lists: Iterable[_List]) -> tuple[str, ...]:
    """The words of the lists; for numbers the folders of the pictures if each class has one to itself."""
    if not all(name.isdecimal() for name in classes):
        return classes
    folders: dict[str, set[str]] = {name: set() for name in classes}
    for one in lists:
        for picture, name in one.classes.items():
            folders[name].add(PurePosixPath(picture).parent.name)
    own = [next(iter(names)) for names in folders.values() if len(names) == 1]
    if len(set(own)) == len(classes) and all(name and not name.isdecimal() for name in own):
        return tuple(own)
    return tuple(f"class {name}" for name in classes)
