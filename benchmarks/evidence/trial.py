"""One run of the evidence, and how a learning rate is chosen from finished ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

BACKBONE = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
OWN_LR = 0.0
"""Stands for the learning rate that a method has by itself, or finds by itself."""
STILL: Mapping[str, Any] = MappingProxyType({"random_shift": 0.0})
"""What was run before training pictures were moved."""
PLAIN: Mapping[str, Any] = MappingProxyType({"drop_path": 0.0, "label_smoothing": 0.0, **STILL})
Key = tuple[str, str, float, int, str]


class Known(Protocol):
    """As much of a row as selection reads."""

    @property
    def key(self) -> Key:
        """Suite, variant, learning rate, seed, split."""

    @property
    def accuracy(self) -> float:
        """A part of 1."""


@dataclass(frozen=True)
class Variant:
    """One way to train, and the learning rates it may choose from: as many for every method of a suite."""

    name: str
    options: Mapping[str, Any]
    lrs: tuple[float, ...]


@dataclass(frozen=True)
class Trial:
    """One run: on train800 and looked at on val200, or on the whole thousand and tested once.

    Without `image_size` it has the backbone that goes with the task. `extra` goes before `recipe`. `reading`
    names what is changed that is no option.
    """

    suite: str
    task: str
    variant: str
    lr: float
    seed: int
    split: str
    image_size: int | None
    part: float = 1.0
    extra: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=lambda: PLAIN)
    reading: str = ""

    @property
    def key(self) -> Key:
        """What makes two rows the same trial."""
        return (self.suite, self.variant, self.lr, self.seed, self.split)

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.suite}-{self.variant}-lr{self.lr:g}-seed{self.seed}-{self.split}"

    @property
    def options(self) -> dict[str, Any]:
        """As `dvpt-train` takes them."""
        splits = {"train_split": "train" if self.split == "val" else "trainval", "eval_split": self.split}
        size = {} if self.image_size is None else {"backbone": BACKBONE, "image_size": self.image_size}
        lr = {} if self.lr == OWN_LR else {"lr": self.lr}
        return {"task": self.task, "seed": self.seed, **lr, **self.recipe, **size, **splits, **self.extra}


def best_lr(suite: str, variant: Variant, known: Sequence[Known]) -> float | None:
    """The learning rate with the best accuracy on val, the higher one of equals; None until all are tried."""
    tried = {
        row.key[2]: row.accuracy
        for row in known
        if row.key[:2] == (suite, variant.name) and row.key[4] == "val"
    }
    if not set(variant.lrs) <= tried.keys():
        return None
    return max(variant.lrs, key=lambda lr: (tried[lr], lr))
