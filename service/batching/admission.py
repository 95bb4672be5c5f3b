"""Who may hold how many of the places for pictures that are admitted and not yet answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Overloaded
from service.shares import Shares


class Admission:
    """Counts the places of each task; `expect_s` tells in how many seconds so many pictures are answered."""

    def __init__(self, max_pictures: int, expect_s: Callable[[int], float]) -> None:
        self._places = Shares(max_pictures)
        self._expect_s = expect_s

    @property
    def admitted(self) -> int:
        """Pictures admitted and not yet answered."""
        return self._places.taken

    @contextmanager
    def admit(self, task: str, pictures: int) -> Iterator[None]:
        """Hold room for a request's pictures. Raises Overloaded."""
        self._require_room(task, pictures)
        self._places.take(task, pictures)
        try:
            yield
        finally:
            self._places.give_back(task, pictures)

    def _require_room(self, task: str, pictures: int) -> None:
        places = self._places
        if places.may_take(task, pictures):
            return
        what = f"{places.taken} pictures are waiting, and at most {places.limit} may"
        if pictures <= places.free:
            held = places.held(task)
            what += (
                f"; task {task!r} has {held} of them, and the {places.free} free places are for other tasks"
            )
        raise Overloaded(f"{what}; this request has {pictures}", retry_after_s=self._expect_s(places.taken))
