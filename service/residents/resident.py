"""One version of a task in memory."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from torch import Tensor

from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.layout import Layout, Slot


@dataclass(eq=False, slots=True)
class Resident:
    """One version of a task in memory. Only `Residency` changes it, but for `pinned`.

    `tensors` are empty while it is in a slot: the bank's rows are then the only copy. `leases` counts those
    that wait for the slot too, `held_back` those that wait because it makes way for another (`makes_way` is
    set once it has). `granted` numbers the times when residents of the bank got their slots. `pinned`: it
    leaves its slot only where all others are pinned or in use, and memory only with its version.
    `load_s` is how long it took to be read.
    """

    task: str
    version: int
    config: AdapterConfig
    layout: Layout
    tensors: dict[str, Tensor]
    pinned: bool = False
    slot: Slot | None = None
    granted: int = 0
    leases: int = 0
    held_back: int = 0
    retired: bool = False
    loaded_s: float = field(default_factory=monotonic)
    used_s: float | None = None
    load_s: float = 0.0
    returning: "asyncio.Task[None] | None" = field(default=None, repr=False)
    makes_way: asyncio.Event | None = field(default=None, repr=False)

    @property
    def in_use(self) -> bool:
        """Whether somebody has a lease who is not held back."""
        return self.leases > self.held_back

    @property
    def gone(self) -> bool:
        """Whether nothing is left of it."""
        return self.retired and self.slot is None and not self.tensors

    @property
    def host_bytes(self) -> int:
        """Bytes of its tensors in host memory."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    def idle_s(self) -> float:
        """Since when nobody has used it, or since when it is there."""
        return monotonic() - (self.loaded_s if self.used_s is None else self.used_s)
