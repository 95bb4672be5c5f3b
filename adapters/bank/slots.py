"""Which slots of a stack of tensors are free. Slot 0 is the null slot and never handed out."""


class FreeSlots:
    """Hands out slots 1 … capacity, lowest first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._free = list(range(capacity, 0, -1))

    @property
    def free(self) -> int:
        """How many slots are free."""
        return len(self._free)

    def take(self) -> int:
        """Take a free slot; the caller has checked that there is one."""
        return self._free.pop()

    def release(self, slot: int) -> None:
        """Give a slot back."""
        self._free.append(slot)

    def extend(self, count: int) -> None:
        """Add `count` slots behind the present ones."""
        self._free = list(range(self.capacity + count, self.capacity, -1)) + self._free
        self.capacity += count
