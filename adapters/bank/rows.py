"""Where each row of a mixed batch finds its adapter, as indices on the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from adapters.kinds.layout import HeadShape, Layout, Slot


class HeadRows(NamedTuple):
    """The rows of one head bucket: their positions in the batch [b], or None for all, and their heads [b]."""

    shape: HeadShape
    positions: Tensor | None
    slots: Tensor


@dataclass(frozen=True)
class Rows:
    """The layout that all rows share, each row's index in it [B], and the rows of each head bucket."""

    layout: Layout
    index: Tensor
    heads: tuple[HeadRows, ...]

    @classmethod
    def of(cls, slots: Sequence[Slot], device: torch.device) -> "Rows":
        """One transfer for all indices, before the forward pass: behind it each would wait for its end."""
        positions: dict[HeadShape, list[int]] = {}
        for row, slot in enumerate(slots):
            positions.setdefault(slot.head, []).append(row)
        order = [row for rows in positions.values() for row in rows]
        values = [[slot.index for slot in slots], order, [slots[row].head_index for row in order]]
        packed = torch.tensor(values)
        if device.type == "cuda":
            packed = packed.pin_memory()
        index, order_there, heads = packed.to(device, non_blocking=True)
        sizes = [len(rows) for rows in positions.values()]
        parts = zip(positions, order_there.split(sizes), heads.split(sizes), strict=True)
        alone = len(sizes) == 1
        return cls(
            slots[0].layout,
            index,
            tuple(HeadRows(shape, None if alone else rows, own) for shape, rows, own in parts),
        )
