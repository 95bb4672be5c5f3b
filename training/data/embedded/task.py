"""An embedded task, its splits, and how its pictures are divided among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PIL import Image

Split = Literal["train", "val", "trainval", "test"]
Labelled = tuple[list[Image.Image], list[int]]

SIDE = 64
SPLIT_SEED = 0
# Of the tasks drawn by formula; as many pictures to train on as VTAB-1k has.
DRAWN_TRAIN, DRAWN_VAL, DRAWN_TEST = 800, 200, 2000


@dataclass(frozen=True)
class EmbeddedTask:
    """An embedded task: its name, one line of what it is, its class names in label order, its pictures."""

    name: str
    description: str
    classes: tuple[str, ...]
    load: Callable[[Split], Labelled]


def rows_of(split: Split) -> range:
    """The numbers of a split's pictures among all that are drawn for a task."""
    train_end = DRAWN_TRAIN
    val_end = train_end + DRAWN_VAL
    return {
        "train": range(train_end),
        "val": range(train_end, val_end),
        "trainval": range(val_end),
        "test": range(val_end, val_end + DRAWN_TEST),
    }[split]
