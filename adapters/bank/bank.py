"""AdapterBank: the stacked tensors of all resident adapters, gathered by slot for a mixed batch."""

import threading
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from adapters.bank.heads import HeadBank
from adapters.bank.rows import Rows
from adapters.config import AdapterConfig, BackboneConfig
from adapters.errors import BankFull
from adapters.kinds.dvpt.stack import LayoutBank
from adapters.kinds.layout import HeadShape, Layout, Slot


class Encoder(Protocol):
    """The backbone's part of the forward pass: `Backbone`, or what runs it otherwise."""

    def embed(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → tokens E₀ behind the prefix [B, prefix + N, D]."""

    def patch_tokens(self, tokens: Tensor) -> Tensor:
        """The patch tokens E₀ [B, N, D] alone."""

    def encode(self, tokens: Tensor, prompts: Tensor | None = None) -> Tensor:
        """Tokens [B, prefix + N, D] and prompts [B, L, P, D] → pooled features [B, D]."""


class AdapterBank:
    """Owns the memory of every resident adapter of one backbone, on one device, in one precision.

    `insert` and `remove` may run on another thread than the forward pass: they write only slots that no
    row of a running batch names. A layout's tensors are allocated once, so their addresses never change.
    """

    def __init__(
        self, backbone: BackboneConfig, *, device: torch.device, dtype: torch.dtype, slots_per_layout: int
    ) -> None:
        self._backbone = backbone
        self._device = device
        self._dtype = dtype
        self._capacity = slots_per_layout
        self._layouts: dict[Layout, LayoutBank] = {}
        self._heads: dict[HeadShape, HeadBank] = {}
        self._live: set[Slot] = set()
        self._lock = threading.Lock()

    @property
    def slots(self) -> frozenset[Slot]:
        """Every slot that holds an adapter."""
        with self._lock:
            return frozenset(self._live)

    def memory_bytes(self) -> int:
        """Bytes of all allocated tensors, used or not."""
        with self._lock:
            layouts = sum(bank.memory_bytes() for bank in self._layouts.values())
            return layouts + sum(bank.memory_bytes() for bank in self._heads.values())

    def addresses(self, layout: Layout) -> tuple[int, ...]:
        """Where a layout's tensors lie; captured graphs rely on these never changing."""
        return self._layouts[layout].addresses()

    def tensors(self, layout: Layout) -> tuple[Tensor, ...]:
        """A layout's stacked tensors, allocated with the first call; they never move."""
        with self._lock:
            return self._layout_bank(layout).tensors

    def insert(self, config: AdapterConfig, tensors: dict[str, Tensor]) -> Slot:
        """Copy one validated adapter into free slots. Raises BankFull, and then nothing has changed."""
        layout = Layout.of(config.prompts, self._backbone.width)
        shape = HeadShape.of(config.head_layers, len(config.classes))
        with self._lock:
            rows = self._layout_bank(layout)
            if rows.free == 0:
                raise BankFull(f"all {self._capacity} slots of layout {layout} are taken")
            heads = self._head_bank(shape)
            slot = Slot(layout, rows.take(), shape, heads.take(), len(config.classes))
            rows.write(slot.index, config.prompts, tensors)
            heads.write(slot.head_index, slot.class_count, tensors)
            self._live.add(slot)
            return slot

    def read(self, config: AdapterConfig, slot: Slot) -> dict[str, Tensor]:
        """The tensors of a live slot on the host, in the bank's precision, as `insert` takes them again."""
        with self._lock:
            self.require_live([slot])
            rows = self._layouts[slot.layout].read(slot.index, config.prompts)
            return rows | self._heads[slot.head].read(slot.head_index, slot.class_count)

    def remove(self, slot: Slot) -> None:
        """Free the slots of an adapter; a second call changes nothing."""
        with self._lock:
            if slot in self._live:
                self._live.discard(slot)
                self._layouts[slot.layout].release(slot.index)
                self._heads[slot.head].release(slot.head_index)

    def null_slot(self, layout: Layout) -> Slot:
        """The slot for padding rows: zero prompts, zero Meta-Net and a head of one class."""
        with self._lock:
            shape = HeadShape.of(1, 1)
            self._layout_bank(layout)
            self._head_bank(shape)
            return Slot(layout, 0, shape, 0, 1)

    def prompts(self, layout: Layout, patches: Tensor, index: Tensor) -> Tensor | None:
        """Patch tokens [B, N, D] and slot indices [B] → each row's P(x) [B, L, P, D]."""
        return self._layouts[layout].prompts_for(patches, index)

    def locate(self, slots: Sequence[Slot]) -> Rows:
        """Slots of one layout → where their rows lie. Raises ValueError as `require_live` does."""
        self.require_live(slots)
        return Rows.of(slots, self._device)

    def logits(self, features: Tensor, rows: Rows) -> Tensor:
        """Features [B, D] → float32 logits [B, C], C the widest bucket present, −∞ beyond a row's classes."""
        if len(rows.heads) == 1:
            shape, _, index = rows.heads[0]
            return self._heads[shape].logits(features, index)
        widest = max(shape.class_capacity for shape, _, _ in rows.heads)
        logits = features.new_full((len(features), widest), -torch.inf, dtype=torch.float32)
        for shape, positions, index in rows.heads:
            logits[positions, : shape.class_capacity] = self._heads[shape].logits(features[positions], index)
        return logits

    def require_live(self, slots: Sequence[Slot]) -> None:
        """Raise ValueError unless every slot holds an adapter, or is a null slot, and all share a layout."""
        if len({slot.layout for slot in slots}) != 1:
            raise ValueError("a batch needs rows of exactly one layout")
        gone = [slot for slot in slots if slot.index != 0 and slot not in self._live]
        if gone:
            raise ValueError(f"slot {gone[0].index} of layout {gone[0].layout} holds no adapter")

    def _layout_bank(self, layout: Layout) -> LayoutBank:
        if layout not in self._layouts:
            self._layouts[layout] = LayoutBank(
                layout, self._backbone, self._capacity, device=self._device, dtype=self._dtype
            )
        return self._layouts[layout]

    def _head_bank(self, shape: HeadShape) -> HeadBank:
        if shape not in self._heads:
            self._heads[shape] = HeadBank(shape, self._backbone.width, device=self._device, dtype=self._dtype)
        return self._heads[shape]


@torch.inference_mode()
def forward_mixed(backbone: Encoder, bank: AdapterBank, images: Tensor, slots: Sequence[Slot]) -> Tensor:
    """Answer pictures [B, 3, H, W] uint8 of many tasks in one pass → logits [B, C] float32.

    Row b runs under the adapter in `slots[b]`; columns beyond its classes are −∞.
    """
    rows = bank.locate(slots)
    return bank.logits(features_mixed(backbone, bank, rows.layout, images, rows.index), rows)


@torch.inference_mode()
def features_mixed(
    backbone: Encoder, bank: AdapterBank, layout: Layout, images: Tensor, index: Tensor
) -> Tensor:
    """Pictures [B, 3, H, W] uint8 and their rows [B] in a layout's tensors → features [B, D].

    The part of `forward_mixed` before the heads: tensors alone, no branch on their values, so that it can be
    captured once for each layout and batch size.
    """
    tokens = backbone.embed(images)
    prompts = bank.prompts(layout, backbone.patch_tokens(tokens), index)
    return backbone.encode(tokens, prompts)
