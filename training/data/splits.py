"""Splits that a source does not have: stratified, reproducible by seed, written down."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from sklearn.model_selection import train_test_split

from training.data.departures import SplitName
from training.data.source import Split, TaskData
from training.errors import DataUnusable


def cut(
    split: Split, part: float | int, seed: int, classes: tuple[str, ...] | None = None
) -> tuple[Split, Split]:
    """Cut off a part (a fraction or a count), each class in proportion → (the rest, the part).

    Raises DataUnusable where a class has a single picture or the part is smaller than the classes are many.
    """
    counts = Counter(split.labels)
    lonely = [classes[label] if classes else str(label) for label, n in sorted(counts.items()) if n < 2]
    if lonely:
        raise DataUnusable(
            f"cannot split: one picture only of {', '.join(lonely[:10])} ({len(lonely)} classes)"
        )
    try:
        rest, taken = train_test_split(
            list(range(len(split))), test_size=part, stratify=split.labels, random_state=seed
        )
    except ValueError as error:
        raise DataUnusable(f"cannot split {len(split)} pictures of {len(counts)} classes: {error}") from error
    return split.rows(sorted(rest)), split.rows(sorted(taken))


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
    train, test = _part(data, fraction, seed)
    how = f"test: {len(test)} pictures cut off at random, stratified, fraction {fraction:g}, seed {seed}"
    return data.with_splits({"train": train, "test": test}, how)


def with_val(data: TaskData, fraction: float, seed: int) -> TaskData:
    """Cut a validation part off train where the source has none."""
    if "val" in data.splits:
        return data
    train, val = _part(data, fraction, seed)
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


def training_part(data: TaskData, which: Literal["train", "trainval"]) -> Split:
    """What is trained on: train, or train and val together (train alone where there is no val)."""
    train = data.splits["train"]
    if which == "train" or "val" not in data.splits:
        return train
    return train + data.splits["val"]


def _part(data: TaskData, fraction: float, seed: int) -> tuple[Split, Split]:
    train = data.splits["train"]
    if data.fixed_classes:
        return draw_off(train, max(1, round(len(train) * fraction)), seed)
    return cut(train, fraction, seed, data.classes)
