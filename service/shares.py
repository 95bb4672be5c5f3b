"""Who may take how much of what all tasks share: places in the queue, bytes of bodies."""

from collections import Counter


class Shares:
    """So much for all tasks together, and how much of it each holds.

    A task that holds some may take more only while as much stays free for the others: one alone can so hold
    half, and two a third each.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._held: Counter[str] = Counter()

    @property
    def free(self) -> int:
        """What nobody holds."""
        return self.limit - self.taken

    def held(self, task: str) -> int:
        """What a task holds."""
        return self._held[task]

    def may_take(self, task: str, amount: int) -> bool:
        """Whether a task may take so much more now."""
        return self.held(task) + amount <= self.free

    def take(self, task: str, amount: int) -> None:
        """Give it to a task, which may take it."""
        self.taken += amount
        self._held[task] += amount

    def give_back(self, task: str, amount: int) -> None:
        """A task needs so much of what it holds no longer."""
        self.taken -= amount
        self._held[task] -= amount
        if not self._held[task]:
            del self._held[task]
