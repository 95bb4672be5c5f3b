"""Occlusion: what covering each part of a picture takes from its likeliest class.

Copies of the picture are ordinary rows of a batch, so every adapter and every engine can be asked
(docs/adr/0038).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from service.engine.protocol import Probabilities

GRID = 7
COPIES = GRID * GRID
WINDOW_CELLS = 2.0
BLURRED_TO = 4
LEAST = 1e-12  # float32 rounds lower ones away


def covered(picture: Tensor) -> list[Tensor]:
    """A picture [3, H, W] uint8 → COPIES of it, each with one window blurred beyond recognition.

    The windows' middles form a grid, row by row; each window reaches over half of its neighbours.
    """
    blurred = _blurred(picture)
    copies = picture.repeat(COPIES, 1, 1, 1)
    for copy, (top, bottom, left, right) in zip(copies, _windows(*picture.shape[1:]), strict=True):
        copy[:, top:bottom, left:right] = blurred[:, top:bottom, left:right]
    return list(copies)


def weights(whole: Probabilities, parts: Sequence[Probabilities]) -> NDArray[np.float32]:
    """Probabilities [C] of a picture and of its COPIES → weights [GRID, GRID] from 0 to 1.

    A weight is what the window took from the log-odds of the picture's likeliest class, as a share of the
    most that one took. All are 0 where none took anything.
    """
    likeliest = int(np.argmax(whole))
    loss = _log_odds(whole, likeliest) - np.array([_log_odds(part, likeliest) for part in parts])
    taken = np.maximum(loss, 0).reshape(GRID, GRID)
    shares: NDArray[np.float32] = (taken / max(taken.max(), LEAST)).astype(np.float32)
    return shares


def _log_odds(row: Probabilities, index: int) -> float:
    """Of class `index`; a sum of the others tells more of a probability near 1 than 1 minus it."""
    others = float(np.delete(row, index).sum(dtype=np.float64))
    return float(np.log(max(float(row[index]), LEAST)) - np.log(max(others, LEAST)))


def _blurred(picture: Tensor) -> Tensor:
    small = F.interpolate(picture[None].float(), (BLURRED_TO, BLURRED_TO), mode="area")
    return F.interpolate(small, picture.shape[1:], mode="bilinear")[0].round().to(torch.uint8)


def _windows(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Top, bottom, left and right of each window, in pixels, cut off at the picture's edges."""
    return [(*rows, *columns) for rows in _spans(height) for columns in _spans(width)]


def _spans(side: int) -> list[tuple[int, int]]:
    middles, half = [(index + 0.5) * side / GRID for index in range(GRID)], WINDOW_CELLS * side / GRID / 2
    return [(max(0, round(middle - half)), min(side, round(middle + half))) for middle in middles]
