"""Folders of class folders: train/[val/]test, or one level of classes that a split is made of."""

import os
from pathlib import Path

from training.data.departures import SplitName
from training.data.source import Split, TaskData
from training.errors import DataUnusable

LAYOUT = "an ImageFolder: {train,val,test}/<class>/*.jpg (val and test optional), or <class>/*.jpg"
ALIASES: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}


def read_image_folder(folder: Path) -> TaskData:
    """Classes are the sub-folders' names, sorted; those of train when there are splits.

    Raises DataUnusable where there are no class folders, no pictures, or a split has unknown classes.
    """
    parts = _split_folders(folder)
    if "train" not in parts:
        parts = {"train": folder}
    classes = tuple(_text(path.name) for path in _folders(parts["train"]))
    if not classes:
        raise DataUnusable(f"{parts['train']}: no class folders; expected {LAYOUT}")
    splits = {name: _read_split(path, classes, folder) for name, path in parts.items()}
    return TaskData(classes, splits, f"ImageFolder {_text(folder.name)}")


def _split_folders(folder: Path) -> dict[SplitName, Path]:
    return {
        split: folder / alias
        for split, aliases in ALIASES.items()
        for alias in aliases
        if (folder / alias).is_dir()
    }


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _read_split(folder: Path, classes: tuple[str, ...], root: Path) -> Split:
    unknown = [_text(path.name) for path in _folders(folder) if _text(path.name) not in classes]
    if unknown:
        raise DataUnusable(f"{folder}: class folders that train does not have: {', '.join(unknown[:10])}")
    found = [
        (path, classes.index(_text(of_class.name)))
        for of_class in _folders(folder)
        for path in _pictures(of_class)
    ]  # fmt: skip
    if not found:
        raise DataUnusable(f"{folder}: no pictures; expected {LAYOUT}")
    names = tuple(_text(path.relative_to(root).as_posix()) for path, _ in found)
    return Split(names, tuple(label for _, label in found), tuple(path for path, _ in found))


def _text(name: str) -> str:
    """A file's name as UTF-8 has it, in any locale; bytes that are none are written as escapes."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
