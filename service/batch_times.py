"""How long a batch takes, learned from those that ran."""

SMOOTHING = 0.2


class BatchTimes:
    """A smoothed time for each power of two of the batch size."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def learn(self, pictures: int, seconds: float) -> None:
        """Take in one batch."""
        size = pictures.bit_length()
        before = self._seconds.get(size, seconds)
        self._seconds[size] = before + SMOOTHING * (seconds - before)

    def expect_s(self, pictures: int) -> float:
        """Seconds for a batch of so many pictures; 0 while nothing is known."""
        if not self._seconds:
            return 0.0
        size = pictures.bit_length()
        nearest = min(self._seconds, key=lambda known: abs(known - size))
        return self._seconds[nearest] * 2.0 ** (size - nearest if size > nearest else 0)

    def expect_queue_s(self, pictures: int, max_batch: int) -> float:
        """Seconds until a queue of so many pictures has been answered in full batches."""
        full, rest = divmod(pictures, max_batch)
        return full * self.expect_s(max_batch) + (self.expect_s(rest) if rest else 0.0)
