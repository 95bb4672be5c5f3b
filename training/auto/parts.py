"""What the candidates are compared on: val, or where that says too little, parts of all training pictures."""

import statistics
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import cast

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from training.data.inspection.contents import first_of_each
from training.data.source import Split, TaskData
from training.data.splits import training_part, with_val
from training.errors import DataUnusable
from training.options.train_config import TrainConfig
from training.uncertainty import standard_error

ENOUGH_VAL = 100
"""With fewer pictures the standard error of an accuracy of 0.9 is above 0.03."""
ENOUGH_OF_A_CLASS = 10
FEWEST_FOLDS, MOST_FOLDS = 3, 5
USUAL = 0.8
"""An accuracy to show with how sure it would be."""


@dataclass(frozen=True)
class Parts:
    """Pairs of train and val among the training pictures: one, one for each fold, or none at all.

    `why` says what there is too little of for a usual choice, empty where there is enough.
    """

    pairs: tuple[TaskData, ...]
    why: str = ""

    @property
    def folds(self) -> int:
        """How many there are, 0 for a single val."""
        return len(self.pairs) if len(self.pairs) > 1 else 0

    @property
    def held_out(self) -> Split:
        """Every picture that is answered, in the order of the pairs."""
        first, *others = (pair.splits["val"] for pair in self.pairs)
        return sum(others, start=first)


def parted(data: TaskData, config: TrainConfig) -> Parts:
    """How the training pictures of `data`, train and val together, are used to compare methods.

    By val where it has 100 pictures and classes have 10 training pictures, else in 3 to 5 folds. Where
    classes have too few for these, by val if it is large nevertheless, else not at all. What counts is the
    class in the middle: one rare class among many does not make a small task.
    """
    single = _with_val(data, config)
    train, val = (single or data).splits["train"], single.splits["val"] if single else None
    large = single is not None and val is not None and len(val) >= ENOUGH_VAL
    if single and large and typical_count(train) >= ENOUGH_OF_A_CLASS:
        return Parts((single,))
    every = training_part(data, "trainval")
    typical = typical_count(every)
    why = _why(val, typical)
    if typical < FEWEST_FOLDS:
        return Parts((single,) if single and large else (), why)
    return Parts(_folded(data, every, min(typical, MOST_FOLDS), config.split_seed), why)


def typical_count(split: Split) -> int:
    """Different pictures of the class in the middle, of classes that have any."""
    labels = (split.labels[row] for row in first_of_each(split))
    return statistics.median_low(Counter(labels).values())


def fold_rows(split: Split, folds: int, seed: int) -> list[list[int]]:
    """Positions of each fold's pictures, every class in each as evenly as may be, equal pictures in one.

    There are as many different pictures of some class as folds, or more.
    """
    groups = split.contents or split.names
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class of fewer pictures than folds is in some of them only.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        dealt = dealer.split(np.zeros(len(split)), split.labels, groups)
        return [cast("list[int]", rows.tolist()) for _, rows in dealt]


def _folded(data: TaskData, every: Split, folds: int, seed: int) -> tuple[TaskData, ...]:
    pairs = []
    for number, rows in enumerate(fold_rows(every, folds, seed), start=1):
        rest = sorted(set(range(len(every))) - set(rows))
        how = f"train, val: fold {number} of {folds} of both is val, stratified, seed {seed}"
        pairs.append(data.with_splits({"train": every.rows(rest), "val": every.rows(rows)}, how))
    return tuple(pairs)


def _with_val(data: TaskData, config: TrainConfig) -> TaskData | None:
    """The data with a val part; None where a class has a single picture, or there are less than classes."""
    try:
        return with_val(data, config.val_fraction, config.split_seed)
    except DataUnusable:
        return None


def _why(val: Split | None, typical: int) -> str:
    """What there is too little of."""
    if typical < FEWEST_FOLDS:
        return f"half of the classes have no more than {typical} training picture{'s' * (typical > 1)}"
    if val is None or len(val) >= ENOUGH_VAL:
        return f"half of the classes have fewer than {ENOUGH_OF_A_CLASS} training pictures without val"
    error = standard_error(USUAL, len(val))
    return f"val has {len(val)} pictures ({USUAL:.2f} would be known to ± {error:.2f})"
