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


@dataclass(frozen=True)
class Counts:
    """How many pictures of each split are drawn by formula; by default as many to train on as VTAB-1k has."""

    train: int = 800
    val: int = 200
    test: int = 2000

    @property
    def total(self) -> int:
        """Of all splits."""
        return self.train + self.val + self.test

    def rows(self, split: Split) -> range:
        """The numbers of a split's pictures among all that are drawn for a task."""
        learnt = self.train + self.val
        return {
            "train": range(self.train),
            "val": range(self.train, learnt),
            "trainval": range(learnt),
            "test": range(learnt, self.total),
        }[split]


VTAB = Counts()


@dataclass(frozen=True)
class EmbeddedTask:
    """An embedded task: its name, one line of what it is, its class names in label order, its pictures."""

    name: str
    description: str
    classes: tuple[str, ...]
    load: Callable[[Split], Labelled]
