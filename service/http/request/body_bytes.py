"""How many bytes of bodies are in memory, of all requests and of each task."""

from service.errors import Overloaded
from service.shares import Shares

RETRY_AFTER_S = 1.0


class BodyBytes:
    """One budget for the bodies of all requests, taken as their bytes arrive."""

    def __init__(self, max_bytes: int) -> None:
        self._bytes = Shares(max_bytes)

    @property
    def held(self) -> int:
        """Bytes of bodies in memory."""
        return self._bytes.taken

    def hold(self, task: str) -> "HeldBytes":
        """What one request of a task holds: nothing yet."""
        return HeldBytes(self, task)

    def take(self, task: str, size: int) -> None:
        """Take bytes for a task. Raises Overloaded."""
        self.require_room(task, size)
        self._bytes.take(task, size)

    def give_back(self, task: str, size: int) -> None:
        """Those bytes are no longer in memory."""
        self._bytes.give_back(task, size)

    def require_room(self, task: str, size: int) -> None:
        """Raise Overloaded where so many more bytes would not fit now; takes nothing."""
        budget = self._bytes
        if budget.may_take(task, size):
            return
        what = f"bodies of {budget.taken} bytes are in memory, and at most {budget.limit} may be"
        if size <= budget.free:
            held = budget.held(task)
            what += f"; task {task!r} has {held} of them, and the {budget.free} free ones are for other tasks"
        raise Overloaded(f"{what}; this request brings {size} more", retry_after_s=RETRY_AFTER_S)


class HeldBytes:
    """The bytes that one request holds."""

    def __init__(self, budget: BodyBytes, task: str) -> None:
        self._budget = budget
        self._task = task
        self._size = 0

    def expect(self, size: int) -> None:
        """Raise Overloaded where a body of this length would not fit now; an announcement takes nothing."""
        self._budget.require_room(self._task, size)

    def add(self, size: int) -> None:
        """Bytes have arrived. Raises Overloaded."""
        self._budget.take(self._task, size)
        self._size += size

    def release(self) -> None:
        """The bytes are gone; more than once is no matter."""
        self._budget.give_back(self._task, self._size)
        self._size = 0
