"""Who may hold how many of the places for pictures that are admitted and not yet answered."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Overloaded


class Admission:
    """Counts the places of each task; `expect_s` tells in how many seconds so many pictures are answered."""

    def __init__(self, max_pictures: int, expect_s: Callable[[int], float]) -> None:
        self._max_pictures = max_pictures
        self._expect_s = expect_s
        self._admitted = 0
        self._held: Counter[str] = Counter()

    @property
    def admitted(self) -> int:
        """Pictures admitted and not yet answered."""
        return self._admitted

    @contextmanager
    def admit(self, task: str, pictures: int) -> Iterator[None]:
        """Hold room for a request's pictures. Raises Overloaded.

        A task that holds room already gets more only while as much stays free for the others.
        """
        self._require_room(task, pictures)
        self._admitted += pictures
        self._held[task] += pictures
        try:
            yield
        finally:
            self._admitted -= pictures
            self._held[task] -= pictures
            if not self._held[task]:
                del self._held[task]

    def _require_room(self, task: str, pictures: int) -> None:
        free, held = self._max_pictures - self._admitted, self._held.get(task, 0)
        if held + pictures <= free:
            return
        what = f"{self._admitted} pictures are waiting, and at most {self._max_pictures} may"
        if pictures <= free:
            what += f"; task {task!r} has {held} of them, and the {free} free places are for other tasks"
        raise Overloaded(f"{what}; this request has {pictures}", retry_after_s=self._expect_s(self._admitted))
