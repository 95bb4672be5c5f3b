"""Splits that a source does not have: stratified, reproducible by seed, written down."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from sklearn.model_selection import train_test_split

from training.data.departures import SplitName
from training.data.inspection.contents import first_of_each
from training.data.inspection.damaged import damaged
from training.data.pixels import listing
from training.data.source import Split, TaskData, listed
from training.errors import DataUnusable


def cut(
    split: Split,
    part: float | int,
    seed: int,
    classes: tuple[str, ...] | None = None,
    what: SplitName = "test",
) -> tuple[Split, Split]:
    """Cut off a part (a fraction or a count), each class in proportion → (the rest, the part).

    Equal pictures stay together, where contents are known. `what` is called so in errors.
    Raises DataUnusable where a class has a single picture or the part is smaller than the classes are many.
    """
    rows = first_of_each(split)
    labels = [split.labels[row] for row in rows]
    taken_count = part if isinstance(part, int) else math.ceil(len(rows) * part)
    named = classes or tuple(f"class {label}" for label in range(max(labels) + 1))
    _check_copies(split, Counter(labels))
    _check_cut(Counter(labels), taken_count, named, what)
    rest, taken = train_test_split(rows, test_size=part, stratify=labels, random_state=seed)
    if len(rows) < len(split):
        off = {split.contents[row] for row in taken}
        taken = [row for row in range(len(split)) if split.contents[row] in off]
        rest = [row for row in range(len(split)) if split.contents[row] not in off]
    return split.rows(sorted(rest)), split.rows(sorted(taken))


def _check_copies(split: Split, different: Counter[int]) -> None:
    """Raise DataUnusable for damaged files of classes that are one file again and again, as if empty."""
    every = Counter(split.labels)
    rows = [row for row, label in enumerate(split.labels) if different[label] == 1 < every[label]]
    faults = list(damaged(split.rows(rows), "equal pictures").values())
    if faults:
        raise DataUnusable(listing(faults, len(split)))


def _check_cut(counts: Counter[int], taken: int, classes: tuple[str, ...], what: SplitName) -> None:
    lonely = [classes[label] for label, n in sorted(counts.items()) if n < 2]
    if lonely:
        raise DataUnusable(
            f"no {what} part can be cut off: one picture only of {listed(lonely)} ({len(lonely)} of "
            f"{len(counts)} classes), which cannot be on both sides; add pictures of it (copies do not "
            f"count), remove the class, or lay out a {what} part of your own"
        )
    left = counts.total() - taken
    enough = math.ceil(100 * len(counts) / counts.total()) / 100  # half at most: there are two of each class
    if min(taken, left) < len(counts):
        raise DataUnusable(
            f"no {what} part can be cut off: {taken} of {counts.total()} pictures would be taken and {left} "
            f"left, and both sides need one of each of {len(counts)} classes; take a --{what}-fraction "
            f"of {enough:g}, or add pictures"
        )


def draw(labels: Sequence[int], count: int, seed: int) -> list[int]:
    """Positions of `count` pictures, in order, each class in proportion as nearly as whole pictures allow."""
    # scikit-learn's stratified split refuses a part smaller than the classes are many, as Sun397's 200 are.
    rng = np.random.default_rng(seed)
    every = np.asarray(labels)
    shuffled = rng.permutation(len(every))
    place = np.empty(len(every))
    for label in np.unique(every):
        rows = shuffled[every[shuffled] == label]
        place[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return [int(row) for row in np.sort(np.argsort(place)[:count])]


def draw_off(split: Split, count: int, seed: int) -> tuple[Split, Split]:
    """`draw` a part → (the rest, the part); classes may miss in either."""
    taken = draw(split.labels, count, seed)
    rest = sorted(set(range(len(split))) - set(taken))
    return split.rows(rest), split.rows(taken)


def with_test(data: TaskData, fraction: float, seed: int) -> TaskData:
    """Cut a test part off train where the source has none."""
    if "test" in data.splits:
        return data
    train, test = _part(data, fraction, seed, "test")
    how = f"test: {len(test)} pictures cut off at random, stratified, fraction {fraction:g}, seed {seed}"
    return data.with_splits({"train": train, "test": test}, how)


def with_val(data: TaskData, fraction: float, seed: int) -> TaskData:
    """Cut a validation part off train where the source has none."""
    if "val" in data.splits:
        return data
    train, val = _part(data, fraction, seed, "val")
    how = f"val: {len(val)} pictures cut off train, stratified, fraction {fraction:g}, seed {seed}"
    return data.with_splits({"train": train, "val": val}, how)


def with_percent(data: TaskData, percent: int, seed: int, which: Literal["train", "trainval"]) -> TaskData:
    """Keep `percent` % of what is trained on, of val too where it is; what is thinned already stays."""
    trained: tuple[SplitName, ...] = ("train", "val") if which == "trainval" else ("train",)
    for name in trained:
        if percent == 100 or name in data.thinned or name not in data.splits:
            continue
        split = data.splits[name]
        kept = split.rows(draw(split.labels, max(1, round(len(split) * percent / 100)), seed))
        how = f"{name}: {len(kept)} of {len(split)} pictures ({percent} %), drawn by class, seed {seed}"
        data = data.with_splits({name: kept}, how)
        data = replace(data, thinned=data.thinned | {name})
    return data


def with_shots(data: TaskData, shots: int, seed: int, which: Literal["train", "trainval"]) -> TaskData:
    """Keep so many pictures of each class of what is trained on, all of a class that has fewer."""
    trained: tuple[SplitName, ...] = ("train", "val") if which == "trainval" else ("train",)
    parts = [name for name in trained if name in data.splits]
    places = [(name, row) for name in parts for row in range(len(data.splits[name]))]
    labels = np.asarray([data.splits[name].labels[row] for name, row in places])
    order = np.random.default_rng(seed).permutation(len(places))
    kept = {places[at] for label in np.unique(labels) for at in order[labels[order] == label][:shots]}
    few = [data.classes[label] for label, count in sorted(Counter(labels.tolist()).items()) if count < shots]
    fewer = f", fewer of {listed(few)}" if few else ""
    of_each = f"{shots} of each class{fewer}"
    how = f"{', '.join(parts)}: {len(kept)} of {len(places)} pictures, {of_each}, seed {seed}"
    rows = {name: [row for part, row in sorted(kept) if part == name] for name in parts}
    empty = [name for name in parts if not rows[name]]
    splits = {name: data.splits[name].rows(rows[name]) for name in parts}
    if "train" in empty:  # so few that all of them were drawn from val
        splits["train"], empty = splits["val"], ["val"]
    data = data.with_splits(splits, how)
    left = {name: split for name, split in data.splits.items() if name not in empty}
    return replace(data, splits=left, thinned=data.thinned | set(parts))


def training_part(data: TaskData, which: Literal["train", "trainval"]) -> Split:
    """What is trained on: train, or train and val together (train alone where there is no val)."""
    train = data.splits["train"]
    if which == "train" or "val" not in data.splits:
        return train
    return train + data.splits["val"]


def _part(data: TaskData, fraction: float, seed: int, what: SplitName) -> tuple[Split, Split]:
    train = data.splits["train"]
    if data.fixed_classes:
        return draw_off(train, max(1, round(len(train) * fraction)), seed)
    return cut(train, fraction, seed, data.classes, what)
