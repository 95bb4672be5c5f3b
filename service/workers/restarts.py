"""When a worker that ended is started again, and when that is of no more use."""

from dataclasses import dataclass

LONG_ENOUGH_S = 60.0
"""Who served for so long ended by an accident that need not come again."""
LONGEST_PAUSE_S = 30.0
MOST_FAILED_STARTS = 5


@dataclass
class Restarts:
    """Of one worker's place. The first end is followed at once by a start, others after pauses that double.

    Ends before the worker was ready are counted: after `most_failed_starts` in a row, it is given up.
    """

    most_failed_starts: int = MOST_FAILED_STARTS
    failed_starts: int = 0
    quick_ends: int = 0

    def ended(self, ready_s: float | None) -> float | None:
        """The pause before the next start, in seconds, or None to give up.

        `ready_s` is for how long the worker was ready; None if it never was.
        """
        if ready_s is None:
            self.failed_starts += 1
            if self.failed_starts >= self.most_failed_starts:
                return None
        else:
            self.failed_starts = 0
        if ready_s is not None and ready_s >= LONG_ENOUGH_S:
            self.quick_ends = 0
            return 0.0
        self.quick_ends += 1
        return min(LONGEST_PAUSE_S, 0.0 if self.quick_ends == 1 else 0.5 * 2.0 ** (self.quick_ends - 2))
