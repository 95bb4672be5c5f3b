"""The last so many outcomes, and how many of them were of one kind."""


class Window:
    """Counts in the last `size` outcomes; a byte for each."""

    def __init__(self, size: int) -> None:
        self._outcomes = bytearray(size)
        self._seen = 0
        self.hits = 0

    @property
    def full(self) -> bool:
        """Whether there were so many."""
        return self._seen >= len(self._outcomes)

    @property
    def share(self) -> float:
        """The part of `size` that were hits; what has not come yet is none."""
        return self.hits / len(self._outcomes)

    def add(self, hit: bool) -> None:
        """Take in one outcome, in place of the oldest."""
        at = self._seen % len(self._outcomes)
        self.hits += hit - self._outcomes[at]
        self._outcomes[at] = hit
        self._seen += 1
