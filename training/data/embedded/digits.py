"""`digits`: scikit-learn's copy of real handwriting (UCI optdigits, 8x8, 1,797 pictures)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from training.data.embedded.task import SIDE, SPLIT_SEED, EmbeddedTask, Labelled, Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS_TEST, DIGITS_VAL = 450, 270


def _load(split: Split) -> Labelled:
    """Stratified split of scikit-learn's digits; grey levels 0..16 become 0..255, 8x8 becomes 64x64."""
    pictures, labels = load_digits(return_X_y=True)
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=DIGITS_TEST, stratify=labels, random_state=SPLIT_SEED
    )
    train, val = train_test_split(rest, test_size=DIGITS_VAL, stratify=labels[rest], random_state=SPLIT_SEED)
    rows = {"train": train, "val": val, "trainval": np.concatenate([train, val]), "test": test}[split]
    grey = np.round(pictures[rows].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return [_picture(one) for one in grey], [int(label) for label in labels[rows]]


def _picture(grey: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB")


DIGITS = EmbeddedTask(
    "digits",
    "scikit-learn's handwritten digits, 8x8 enlarged to 64x64",
    tuple(str(digit) for digit in range(10)),
    _load,
)
