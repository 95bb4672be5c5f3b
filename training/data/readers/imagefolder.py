"""Folders of class folders: train/[val/]test, or one level of classes that a split is made of."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.data.departures import SplitName
from training.data.readers.split_names import ALIASES, resembles_split, split_named
from training.data.readers.tree import Folder, LeftOut, scan
from training.data.remarks import Remark
from training.data.source import Split, TaskData, listed
from training.errors import DataUnusable
from training.path_text import text_of

LAYOUT = "an ImageFolder: {train,val,test}/<class>/*.jpg (val and test optional), or <class>/*.jpg"
Levels = Literal["auto", "splits", "classes"]
NO_CLASS = "pictures outside of class folders"
NO_LABEL = "pictures without a label, in a split without class folders"
BESIDE = "pictures in folders beside the splits"
DEEPER = "pictures in folders below class folders, read as their class's"
LISTS = "or give a list: --data pictures.csv with the columns path,label,split"


@dataclass(frozen=True)
class Tree:
    """A scanned folder of `--data`."""

    root: Folder
    left_out: LeftOut

    def refuse(self, what: str, advice: str) -> DataUnusable:
        """The error for a layout that is not understood: what was found, and what to do."""
        return DataUnusable(f"{text_of(self.root.path)}: {what}; {advice}")


def read_image_folder(folder: Path, levels: Levels = "auto") -> TaskData:
    """Classes are the sub-folders' names, sorted; those of train when there are splits.

    `levels` says what the folders directly below are, where names and contents leave it open. Hidden and
    system files are left out, links are followed. Raises DataUnusable where a layout is doubtful, and where
    there are no class folders, no pictures, or a split has unknown classes.
    """
    tree = Tree(*scan(folder))
    parts = _parts(tree, levels)
    splits = _labelled(parts, tree)
    train = parts["train"]
    unusable = [one.name for one in train.folders if not one.has_pictures()]
    if unusable:
        raise tree.refuse(
            f"no training pictures of {listed(unusable)}{_what_is_left_out(tree)}",
            "add pictures that are read, or remove the folder",
        )
    classes = tuple(_class_name(one) for one in train.folders)
    _check_classes(classes, tree)
    found = {name: _split(part, classes, tree) for name, part in splits.items()}
    return TaskData(
        classes,
        found,
        f"ImageFolder {text_of(folder.absolute().name)}",
        remarks=(*_read_as(parts, found, tree), *tree.left_out.remarks()),
    )


def _parts(tree: Tree, levels: Levels) -> Mapping[SplitName, Folder]:
    """The folder of each split; the root is train's where it has class folders alone."""
    named: dict[SplitName, list[Folder]] = {}
    for folder in tree.root.folders:
        split = split_named(folder.name)
        if split is not None:
            named.setdefault(split, []).append(folder)
    if levels == "classes" or (levels == "auto" and _are_classes(tree, named)):
        return {"train": tree.root}
    _check_splits(tree, named)
    parts = {split: named[split][0] for split in ALIASES if split in named}
    for folder in tree.root.folders:
        if folder not in parts.values():
            for path in folder.every_picture():
                tree.left_out.add(BESIDE, path)
    return parts


def _are_classes(tree: Tree, named: Mapping[SplitName, Sequence[Folder]]) -> bool:
    """Whether the folders directly below are classes. Raises DataUnusable where that is in doubt."""
    filled = [folder for folder in tree.root.folders if folder.has_pictures()]
    if not named:
        _check_flat(tree, filled)
        return True
    others = [folder.name for folder in filled if split_named(folder.name) is None]
    if "train" in named and (len(named) > 1 or not others):
        return False
    if "train" in named and not any(train.folders for train in named["train"]):
        return True  # a vehicle: train without class folders is no split
    names = [folder.name for folders in named.values() for folder in folders]
    what = f"{listed(names)} {'are' if len(names) > 1 else 'is'} called like a split"
    if others:
        raise tree.refuse(
            f"{what}, but stands beside {listed(others)}",
            "say what the folders are with --folders classes or --folders splits",
        )
    raise tree.refuse(
        f"{what}, and there is no train folder", f"expected {LAYOUT}; if they are classes, --folders classes"
    )


def _check_flat(tree: Tree, filled: Sequence[Folder]) -> None:
    if len(filled) > 1 and all(resembles_split(folder.name) for folder in filled):
        raise tree.refuse(
            f"{listed([folder.name for folder in filled])} look like splits, but are not called so",
            "call them train, val and test; if they are classes, --folders classes",
        )
    inner = sorted({sub.name for folder in filled for sub in folder.folders})
    only_inner = len(filled) > 1 and inner and not any(folder.pictures for folder in filled)
    if only_inner and all(map(split_named, inner)):
        raise tree.refuse(
            f"{listed(inner)} are below {listed([folder.name for folder in filled])}",
            f"splits stand above classes: {LAYOUT}; {LISTS}",
        )
    if len(filled) == 1 and len(filled[0].folders) > 1 and not filled[0].pictures:
        inside = listed([sub.name for sub in filled[0].folders])
        raise tree.refuse(
            f"its only folder with pictures is {filled[0].name}, which holds {inside}",
            f"if these are the classes or splits, --data {text_of(filled[0].path)}",
        )


def _check_splits(tree: Tree, named: Mapping[SplitName, Sequence[Folder]]) -> None:
    for split, folders in named.items():
        if len(folders) > 1:
            raise tree.refuse(
                f"{listed([folder.name for folder in folders])} are all called like {split}",
                "keep one; if they are classes, --folders classes",
            )
    if "train" not in named:
        raise tree.refuse(f"no train folder, found {_found(tree.root)}", f"expected {LAYOUT}; {LISTS}")
    train = named["train"][0]
    if not train.has_pictures():
        left_out = _what_is_left_out(tree)
        raise tree.refuse(
            f"no pictures in {train.name}{f', left out: {left_out}' if left_out else ''}",
            f"expected {LAYOUT}",
        )
    if not any(folder.has_pictures() for folder in train.folders):
        raise tree.refuse(
            f"{train.name} holds {len(train.pictures)} pictures and no class folders",
            f"which class each is of must be said: {LAYOUT}; {LISTS}; if the folders are classes, "
            "--folders classes",
        )


def _labelled(parts: Mapping[SplitName, Folder], tree: Tree) -> Mapping[SplitName, Folder]:
    """The splits that have pictures in class folders; what else they hold is left out."""
    for split, part in parts.items():
        labelled = any(folder.has_pictures() for folder in part.folders)
        for path in part.pictures:
            tree.left_out.add(NO_CLASS if labelled or split == "train" else NO_LABEL, path)
    return {
        split: part
        for split, part in parts.items()
        if split == "train" or any(folder.has_pictures() for folder in part.folders)
    }


def _check_classes(classes: Sequence[str], tree: Tree) -> None:
    if not classes:
        raise tree.refuse(f"no class folders{_what_is_left_out(tree)}", f"expected {LAYOUT}; {LISTS}")
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise tree.refuse(f"class folders whose names are the same text: {listed(twice)}", "rename one")


def _split(part: Folder, classes: Sequence[str], tree: Tree) -> Split:
    filled = [folder for folder in part.folders if folder.has_pictures()]
    unknown = [folder.name for folder in filled if _class_name(folder) not in classes]
    if unknown:
        raise DataUnusable(
            f"{text_of(part.path)}: no training pictures of {listed(unknown)}, which it has class folders of"
            f"{_close_to(unknown, classes)}; add some to train, or remove these"
        )
    label = {name: index for index, name in enumerate(classes)}
    found = [(path, label[_class_name(folder)]) for folder in filled for path in folder.every_picture()]
    return Split(
        tuple(tree.left_out.name(path) for path, _ in found),
        tuple(label for _, label in found),
        tuple(path for path, _ in found),
    )


def _read_as(
    parts: Mapping[SplitName, Folder], splits: Mapping[SplitName, Split], tree: Tree
) -> Iterable[Remark]:
    """How the layout was understood, where it could have been meant otherwise."""
    if parts["train"] is tree.root:
        like = tuple(one.name for one in tree.root.folders if one.has_pictures() and split_named(one.name))
        if like:
            yield Remark("read_as", "folders called like a split, read as classes", like)
    above = 2 if parts["train"] is tree.root else 3
    deeper = [name for split in splits.values() for name in split.names if name.count("/") >= above]
    if deeper:
        yield Remark("read_as", DEEPER, tuple(deeper))
    alike = Counter(folder.name.casefold() for folder in parts["train"].folders if folder.has_pictures())
    names = tuple(one.name for one in parts["train"].folders if alike[one.name.casefold()] > 1)
    if names:
        yield Remark("read_as", "class names that differ in capitals alone", names)


def _class_name(folder: Folder) -> str:
    """The folder's name; an accent is one character, as it is typed, also where a Mac wrote two."""
    return unicodedata.normalize("NFC", folder.name)


def _close_to(unknown: Sequence[str], classes: Sequence[str]) -> str:
    known = {name.casefold(): name for name in classes}
    close = [known[name.casefold()] for name in unknown if name.casefold() in known]
    return f" (train has {listed(close)})" if close else ""


def _found(folder: Folder) -> str:
    inside = [f"{one.name}/" for one in folder.folders]
    if folder.pictures:
        inside.append(f"{len(folder.pictures)} pictures")
    return listed(inside) or "nothing that is read"


def _what_is_left_out(tree: Tree) -> str:
    remarks = "; ".join(map(str, tree.left_out.remarks()))
    return f", left out: {remarks}" if remarks else ""
