"""Splits that a source does not have: stratified, reproducible by seed, written down."""

from collections import Counter
from typing import Literal

from sklearn.model_selection import train_test_split

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


def with_test(data: TaskData, fraction: float, seed: int) -> TaskData:
    """Cut a test part off train where the source has none."""
    if "test" in data.splits:
        return data
    train, test = cut(data.splits["train"], fraction, seed, data.classes)
    how = f"test: {len(test)} pictures cut off at random, stratified, fraction {fraction:g}, seed {seed}"
    return data.with_splits({"train": train, "test": test}, how)


def with_val(data: TaskData, fraction: float, seed: int) -> TaskData:
    """Cut a validation part off train where the source has none."""
    if "val" in data.splits:
        return data
    train, val = cut(data.splits["train"], fraction, seed, data.classes)
    how = f"val: {len(val)} pictures cut off train, stratified, fraction {fraction:g}, seed {seed}"
    return data.with_splits({"train": train, "val": val}, how)


def training_part(data: TaskData, which: Literal["train", "trainval"]) -> Split:
    """What is trained on: train, or train and val together (train alone where there is no val)."""
    train = data.splits["train"]
    if which == "train" or "val" not in data.splits:
        return train
    return train + data.splits["val"]
