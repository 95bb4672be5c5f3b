"""How long a batch takes, learned from those that ran."""

SMOOTHING = 0.2


class BatchTimes:
    """A smoothed size and time for each power of two of the batch size."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, float]] = {}

    def learn(self, pictures: int, seconds: float) -> None:
        """Take in one batch."""
        power = pictures.bit_length()
        size, before_s = self._known.get(power, (float(pictures), seconds))
        self._known[power] = (
            size + SMOOTHING * (pictures - size),
            before_s + SMOOTHING * (seconds - before_s),
        )

    def expect_s(self, pictures: int) -> float:
        """Seconds for a batch of so many pictures; 0 while nothing is known."""
        if not self._known:
            return 0.0
        power = pictures.bit_length()
        nearest = min(self._known, key=lambda known: abs(known - power))
        return self._known[nearest][1] * 2.0 ** (power - nearest if power > nearest else 0)

    def expect_queue_s(self, pictures: int, max_batch: int) -> float:
        """Seconds until a queue of so many pictures has been answered in full batches."""
        full, rest = divmod(pictures, max_batch)
        return full * self.expect_s(max_batch) + (self.expect_s(rest) if rest else 0.0)

    def fixed_pictures(self) -> int | None:
        """How many pictures take as long as what every batch takes beside its pictures; None while unknown.

        From the line through the smallest and the largest batches known.
        """
        if len(self._known) < 2:
            return None
        (size, seconds), (large_size, large_s) = self._known[min(self._known)], self._known[max(self._known)]
        picture_s = (large_s - seconds) / (large_size - size)
        return max(0, round(seconds / picture_s - size)) if picture_s > 0 else None
