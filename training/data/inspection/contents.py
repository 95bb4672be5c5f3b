"""SHA-256 of every picture, and the pictures that are equal by it."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from PIL import Image

from training.data.departures import SplitName
from training.data.passes import each_picture
from training.data.remarks import Remark
from training.data.source import Picture, Split, TaskData
from training.errors import DataUnusable

Place = tuple[SplitName, int]


def with_contents(data: TaskData, known: dict[str, str] | None = None) -> TaskData:
    """The same data, every picture of every split read once. Raises DataUnusable for files that cannot be.

    `known` are contents by name, of the same source: those are not read, and what is read is added.
    """
    known = {} if known is None else known
    return replace(data, splits={name: _read(split, name, known) for name, split in data.splits.items()})


def digest(split: Split) -> str:
    """SHA-256 over name, label and content of each picture, in order."""
    contents = split.contents or tuple(map(content, split.pictures))
    total = hashlib.sha256()
    for name, label, sha256 in zip(split.names, split.labels, contents, strict=True):
        total.update(f"{name} {label} {sha256}\n".encode())
    return total.hexdigest()


def content(picture: Picture) -> str:
    """SHA-256 of a file's bytes, or of the pixels of a picture in memory. Raises OSError."""
    data = picture.tobytes() if isinstance(picture, Image.Image) else picture.read_bytes()
    return hashlib.sha256(data).hexdigest()


def equal_pictures(data: TaskData) -> tuple[Remark, ...]:
    """A remark each for equal pictures in two splits, under two labels, and twice in a split."""
    groups = [places for places in _by_content(data).values() if len(places) > 1]
    return tuple(remark for remark in (*_across(data, groups), *_within(data, groups)) if remark.names)


def refuse_equal(remarks: Iterable[Remark]) -> None:
    """Raises DataUnusable for pictures that spoil a figure: those of two splits, and of two labels."""
    worst = [str(remark) for remark in remarks if remark.kind in ("equal_across", "two_labels")]
    if worst:
        raise DataUnusable(f"--strict-data: {'; '.join(worst)}; remove one of each, or leave the flag out")


def first_of_each(split: Split) -> list[int]:
    """The positions of pictures that no earlier one is equal to; all where contents are not known."""
    if not split.contents:
        return list(range(len(split)))
    first: dict[str, int] = {}
    for row, sha256 in enumerate(split.contents):
        first.setdefault(sha256, row)
    return list(first.values())


def _read(split: Split, title: str, known: dict[str, str]) -> Split:
    new = split.rows([row for row, name in enumerate(split.names) if name not in known])
    known.update(zip(new.names, each_picture(new, _content_or_fault, f"reading {title}"), strict=True))
    return replace(split, contents=tuple(known[name] for name in split.names))


def _content_or_fault(name: str, picture: Picture) -> str:
    try:
        return content(picture)
    except OSError as error:
        raise DataUnusable(f"{name} cannot be read: {error.strerror or error}") from error


def _by_content(data: TaskData) -> dict[str, list[Place]]:
    places: dict[str, list[Place]] = defaultdict(list)
    for name, split in data.splits.items():
        for row, sha256 in enumerate(split.contents):
            places[sha256].append((name, row))
    return places


def _across(data: TaskData, groups: Sequence[Sequence[Place]]) -> Iterator[Remark]:
    order = list(data.splits)
    for at, later in enumerate(order):
        for earlier in order[:at]:
            pairs = tuple(
                f"{_name(data, place)} = {_name(data, twin)}"
                for places in groups
                if (twin := next((one for one in places if one[0] == earlier), None))
                for place in places
                if place[0] == later
            )
            yield Remark(
                "equal_across",
                f"of the {len(data.splits[later])} {later} pictures are in {earlier} too",
                pairs,
            )


def _within(data: TaskData, groups: Sequence[Sequence[Place]]) -> Iterator[Remark]:
    two = [places for places in groups if len({_label(data, place) for place in places}) > 1]
    names = (" = ".join(f"{_name(data, place)} ({_label(data, place)})" for place in group) for group in two)
    yield Remark("two_labels", "pictures under more than one label", tuple(names))
    for split in data.splits:
        repeated = tuple(
            f"{_name(data, place)} = {_name(data, same[0])}"
            for places in groups
            if (same := [place for place in places if place[0] == split])
            for place in same[1:]
        )
        yield Remark("equal_within", f"{split} pictures repeat another of {split}", repeated)


def _name(data: TaskData, place: Place) -> str:
    return data.splits[place[0]].names[place[1]]


def _label(data: TaskData, place: Place) -> str:
    return data.classes[data.splits[place[0]].labels[place[1]]]
