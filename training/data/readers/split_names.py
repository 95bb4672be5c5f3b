"""What people call the folders, and the column, of their splits."""

import re
import unicodedata

from training.data.departures import SplitName

ALIASES: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "holdout"),
}
SPLITS: dict[str, SplitName] = {alias: split for split, aliases in ALIASES.items() for alias in aliases}
# What is put before or behind the name, and says no more: train_set, TestData, images-val.
FILLERS = (
    "datasets", "dataset", "folders", "folder", "images", "image", "imgs", "pictures", "split", "sets", "set",
    "data",
)  # fmt: skip


def split_named(name: str) -> SplitName | None:
    """The split that a name stands for, in any case and with `set`, `data` or `images` about it."""
    words = [_bare(word) for word in _words(name) if word not in FILLERS]
    return SPLITS.get(words[0]) if len(words) == 1 else None


def resembles_split(name: str) -> bool:
    """Whether one of the words is a split's name, with others about it: `train2017`, `seg_test`."""
    return any(_bare(word.strip("0123456789")) in SPLITS for word in _words(name))


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", unicodedata.normalize("NFKC", name).casefold()) if word]


def _bare(word: str) -> str:
    """`trainset` → `train`."""
    shorter = (word.removesuffix(filler) for filler in FILLERS if word.endswith(filler))
    return next((rest for rest in shorter if rest in SPLITS), word)
