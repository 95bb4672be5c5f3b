"""What a task's data is: classes and named splits of labelled pictures, decoded later."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from PIL import Image

from training.data.departures import AnyDeparture, SplitName
from training.data.remarks import Remark
from training.errors import DataUnusable


class Encoded(Protocol):
    """A picture as bytes that are fetched when they are wanted: a file, or a row of a table."""

    def read_bytes(self) -> bytes:
        """The picture's file. Raises OSError."""
        ...


Picture = Encoded | Image.Image


@dataclass(frozen=True)
class Split:
    """Pictures, each with a name and a label, all three of one length; `contents` are SHA-256, once known."""

    names: tuple[str, ...]
    labels: tuple[int, ...]
    pictures: tuple[Picture, ...]
    contents: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def __add__(self, other: "Split") -> "Split":
        known = len(self.contents) == len(self) and len(other.contents) == len(other)
        return Split(
            self.names + other.names,
            self.labels + other.labels,
            self.pictures + other.pictures,
            self.contents + other.contents if known else (),
        )

    def rows(self, index: Sequence[int]) -> "Split":
        """The pictures at these positions."""
        return Split(
            tuple(self.names[row] for row in index),
            tuple(self.labels[row] for row in index),
            tuple(self.pictures[row] for row in index),
            tuple(self.contents[row] for row in index) if self.contents else (),
        )


@dataclass(frozen=True)
class TaskData:
    """Class names in label order, splits, and in words where they are from.

    `made` says how splits that the source did not have were made, empty if all are the source's own;
    `departures` where they differ from the benchmark's. `fixed_classes`: the classes are a benchmark's, so
    that some may have no pictures. `thinned`: the splits that hold a part of their pictures on purpose.
    `remarks`: what was left out, and what else should be known before a figure is trusted.
    """

    classes: tuple[str, ...]
    splits: Mapping[SplitName, Split]
    source: str
    made: tuple[str, ...] = ()
    departures: tuple[AnyDeparture, ...] = ()
    fixed_classes: bool = False
    thinned: frozenset[SplitName] = field(default_factory=frozenset)
    remarks: tuple[Remark, ...] = ()

    def remarked(self, *remarks: Remark) -> "TaskData":
        """The same data with more remarks."""
        return replace(self, remarks=(*self.remarks, *remarks))

    @property
    def notes(self) -> tuple[str, ...]:
        """All that keeps the splits from being the source's or the benchmark's own, in words."""
        return (*map(str, self.departures), *self.made)

    def with_splits(self, splits: Mapping[SplitName, Split], how: str) -> "TaskData":
        """The same data with splits added or changed, and a word on how."""
        return replace(self, splits={**self.splits, **splits}, made=(*self.made, how))


def check(data: TaskData, trained: Sequence[SplitName] = ("train",)) -> None:
    """Raise DataUnusable unless there are two classes, each has pictures to train on, labels and names fit.

    Where the classes are a benchmark's, two of them must have pictures in the `trained` splits.
    """
    _check_classes(data)
    for name, split in data.splits.items():
        if not len(split):
            raise DataUnusable(f"{data.source}: the {name} split is empty")
        _check_labels(data, name, split)
    _check_names(data)
    without = [set(absent_classes(data, name)) for name in trained if name in data.splits]
    absent = tuple(name for name in data.classes if all(name in names for names in without))
    if absent and not data.fixed_classes:
        raise DataUnusable(f"{data.source}: no training pictures of {listed(absent)}")
    if len(data.classes) - len(absent) < 2:
        raise DataUnusable(f"{data.source}: train has pictures of one class only; it needs at least two")


def absent_classes(data: TaskData, name: SplitName) -> tuple[str, ...]:
    """The classes that a split has no picture of."""
    present = set(data.splits[name].labels)
    return tuple(label for index, label in enumerate(data.classes) if index not in present)


def listed(names: Sequence[str], most: int = 10) -> str:
    """`a, b and 3 more`."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _check_classes(data: TaskData) -> None:
    if len(data.classes) < 2:
        found = f"only the class '{data.classes[0]}'" if data.classes else "no classes"
        raise DataUnusable(f"{data.source}: {found}; a classifier needs at least two")
    names = Counter(name.strip() for name in data.classes)
    unusable = sorted(name or "(blank)" for name, count in names.items() if count > 1 or not name)
    if unusable:
        raise DataUnusable(
            f"{data.source}: class names that are blank or not distinct: {', '.join(unusable)}"
        )


def _check_labels(data: TaskData, name: SplitName, split: Split) -> None:
    worst = max(split.labels)
    if worst >= len(data.classes):
        picture = split.names[split.labels.index(worst)]
        raise DataUnusable(
            f"{data.source}: label {worst} in {name} (of {picture}), but {len(data.classes)} classes, "
            f"labels 0 to {len(data.classes) - 1}"
        )


def _check_names(data: TaskData) -> None:
    """A picture that comes twice counts twice; one that is in train and test spoils the figure."""
    where: dict[str, str] = {}
    for name, split in data.splits.items():
        twice = [picture for picture, count in Counter(split.names).items() if count > 1]
        if twice:
            raise DataUnusable(f"{data.source}: named more than once in {name}: {listed(twice)}")
        both = [picture for picture in split.names if picture in where]
        if both:
            raise DataUnusable(f"{data.source}: in {where[both[0]]} and in {name}: {listed(both)}")
        where |= dict.fromkeys(split.names, name)
