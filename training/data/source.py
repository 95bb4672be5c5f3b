"""What a task's data is: classes and named splits of labelled pictures, decoded later."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from PIL import Image

from training.errors import DataUnusable

SplitName = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Split:
    """Pictures (files, or drawn in memory), each with a name and a label; all three of one length."""

    names: tuple[str, ...]
    labels: tuple[int, ...]
    pictures: tuple[Path | Image.Image, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __add__(self, other: "Split") -> "Split":
        return Split(self.names + other.names, self.labels + other.labels, self.pictures + other.pictures)

    def rows(self, index: list[int]) -> "Split":
        """The pictures at these positions."""
        return Split(
            tuple(self.names[row] for row in index),
            tuple(self.labels[row] for row in index),
            tuple(self.pictures[row] for row in index),
        )


@dataclass(frozen=True)
class TaskData:
    """Class names in label order, splits, and in words where they are from.

    `made` says how splits that the source did not have were made; empty if all are the source's own.
    """

    classes: tuple[str, ...]
    splits: Mapping[SplitName, Split]
    source: str
    made: tuple[str, ...] = ()

    def with_splits(self, splits: Mapping[SplitName, Split], how: str) -> "TaskData":
        """The same data with splits added or changed, and a word on how."""
        return replace(self, splits={**self.splits, **splits}, made=(*self.made, how))


def check(data: TaskData) -> None:
    """Raise DataUnusable unless there are two classes, train has pictures of each, and labels fit."""
    if len(data.classes) < 2:
        found = f"only the class '{data.classes[0]}'" if data.classes else "no classes"
        raise DataUnusable(f"{data.source}: {found}; a classifier needs at least two")
    names = Counter(name.strip() for name in data.classes)
    unusable = sorted(name or "(blank)" for name, count in names.items() if count > 1 or not name)
    if unusable:
        raise DataUnusable(
            f"{data.source}: class names that are blank or not distinct: {', '.join(unusable)}"
        )
    for name, split in data.splits.items():
        if not len(split):
            raise DataUnusable(f"{data.source}: the {name} split is empty")
        worst = max(split.labels)
        if worst >= len(data.classes):
            raise DataUnusable(f"{data.source}: label {worst} in {name}, but {len(data.classes)} classes")
    present = Counter(data.splits["train"].labels)
    absent = [label for index, label in enumerate(data.classes) if index not in present]
    if absent:
        shown = ", ".join(absent[:10]) + (f" and {len(absent) - 10} more" if len(absent) > 10 else "")
        raise DataUnusable(f"{data.source}: no training pictures of {shown}")
