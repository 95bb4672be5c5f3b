"""AdapterBank: the stacked tensors of all resident adapters, gathered by slot for a mixed batch."""

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from adapters.bank.heads import HeadBank
from adapters.bank.rows import Rows
from adapters.bank.slots import FreeSlots
from adapters.config import BackboneConfig
from adapters.errors import BankFull
from adapters.kinds.adapter import BODY
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.kind import Stack
from adapters.kinds.layout import HeadShape, Layout, Slot
from adapters.kinds.table import kind_of
from adapters.vit.row_parameters import NEUTRAL, RowParameters


class Encoder(Protocol):
    """The backbone's part of the forward pass: `Backbone`, or what runs it otherwise."""

    def embed(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → tokens E₀ behind the prefix [B, prefix + N, D]."""

    def patch_tokens(self, tokens: Tensor) -> Tensor:
        """The patch tokens E₀ [B, N, D] alone."""

    def encode(self, tokens: Tensor, rows: RowParameters = NEUTRAL) -> Tensor:
        """Tokens [B, prefix + N, D] and what each row brings of its own → pooled features [B, D]."""


class AdapterBank:
    """Owns the memory of every resident adapter of one backbone, on one device, in one precision.

    `insert` and `remove` may run on another thread than the forward pass: they write only slots that no
    row of a running batch names. A layout's tensors are allocated once, so their addresses never change.
    """

    def __init__(
        self,
        backbone: BackboneConfig,
        *,
        device: torch.device,
        dtype: torch.dtype,
        slots_per_layout: int,
        bytes_per_layout: int | None = None,
    ) -> None:
        self._backbone = backbone
        self._device = device
        self._dtype = dtype
        self._slots_per_layout = slots_per_layout
        self._bytes_per_layout = bytes_per_layout
        self._stacks: dict[Layout, Stack[Any]] = {}
        self._free: dict[Layout, FreeSlots] = {}
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
            stacks = sum(stack.memory_bytes() for stack in self._stacks.values())
            return stacks + sum(bank.memory_bytes() for bank in self._heads.values())

    def addresses(self, layout: Layout) -> tuple[int, ...]:
        """Where a layout's tensors lie; captured graphs rely on these never changing."""
        return self._stacks[layout].addresses()

    def tensors(self, layout: Layout) -> tuple[Tensor, ...]:
        """A layout's stacked tensors, allocated with the first call; they never move."""
        with self._lock:
            return self._stack(layout).tensors

    def layout_of(self, config: AdapterConfig) -> Layout:
        """The layout that an adapter takes here."""
        return Layout.of(config.options, self._backbone)

    def insert(self, config: AdapterConfig, tensors: dict[str, Tensor]) -> Slot:
        """Copy one validated adapter into free slots. Raises BankFull, and then nothing has changed."""
        layout = self.layout_of(config)
        shape = HeadShape.of(config.head_layers, len(config.classes))
        with self._lock:
            stack, free = self._stack(layout), self._free[layout]
            if free.free == 0:
                raise BankFull(f"all {free.capacity} slots of layout {layout} are taken")
            heads = self._head_bank(shape)
            slot = Slot(layout, free.take(), shape, heads.take(), len(config.classes))
            own = {name.removeprefix(BODY): value for name, value in tensors.items() if name.startswith(BODY)}
            stack.write(slot.index, config.options, own)
            heads.write(slot.head_index, slot.class_count, tensors)
            self._live.add(slot)
            return slot

    def has_room(self, layout: Layout) -> bool:
        """Whether a slot of this layout is free now."""
        free = self._free.get(layout)
        return free is None or free.free > 0

    def read(self, config: AdapterConfig, slot: Slot) -> dict[str, Tensor]:
        """The tensors of a live slot on the host, in the bank's precision, as `insert` takes them again."""
        with self._lock:
            self.require_live([slot])
            own = self._stacks[slot.layout].read(slot.index, config.options)
            head = self._heads[slot.head].read(slot.head_index, slot.class_count)
            return {BODY + name: value for name, value in own.items()} | head

    def remove(self, slot: Slot) -> None:
        """Free the slots of an adapter; a second call changes nothing."""
        with self._lock:
            if slot in self._live:
                self._live.discard(slot)
                self._free[slot.layout].release(slot.index)
                self._heads[slot.head].release(slot.head_index)

    def null_slot(self, layout: Layout) -> Slot:
        """The slot for padding rows: what is neutral, and a head of one class."""
        with self._lock:
            shape = HeadShape.of(1, 1)
            self._stack(layout)
            self._head_bank(shape)
            return Slot(layout, 0, shape, 0, 1)

    def row_parameters(self, layout: Layout, patches: Tensor, index: Tensor) -> RowParameters:
        """Patch tokens [B, N, D] and slot indices [B] → what each row's adapter brings."""
        return self._stacks[layout].row_parameters(patches, index)

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

    def _stack(self, layout: Layout) -> Stack[Any]:
        if layout not in self._stacks:
            capacity = self._capacity(layout)
            self._stacks[layout] = self._new_stack(layout, capacity + 1, self._device)  # and the null slot
            self._free[layout] = FreeSlots(capacity)
        return self._stacks[layout]

    def _capacity(self, layout: Layout) -> int:
        """How many slots a layout gets: at least one, however few bytes there are."""
        slot_bytes = self._new_stack(layout, 1, torch.device("meta")).memory_bytes()
        if self._bytes_per_layout is None or slot_bytes == 0:
            return self._slots_per_layout
        return min(self._slots_per_layout, max(1, self._bytes_per_layout // slot_bytes - 1))

    def _new_stack(self, layout: Layout, slots: int, device: torch.device) -> Stack[Any]:
        kind = kind_of(layout.options)
        return kind.stack(layout.options, self._backbone, slots, device=device, dtype=self._dtype)

    def _head_bank(self, shape: HeadShape) -> HeadBank:
        if shape not in self._heads:
            self._heads[shape] = HeadBank(shape, self._backbone.width, device=self._device, dtype=self._dtype)
        return self._heads[shape]


@torch.inference_mode()
def features_mixed(
    backbone: Encoder, bank: AdapterBank, layout: Layout, images: Tensor, index: Tensor
) -> Tensor:
    """Pictures [B, 3, H, W] uint8 and their rows [B] in a layout's tensors → features [B, D].

    What comes before `bank.logits`: tensors alone, no branch on their values, so that it can be captured once
    for each layout and batch size.
    """
    tokens = backbone.embed(images)
    return backbone.encode(tokens, bank.row_parameters(layout, backbone.patch_tokens(tokens), index))
