"""How many bytes of bodies are in memory, of all requests and of each task."""

from service.errors import Overloaded

RETRY_AFTER_S = 1.0


class BodyBytes:
    """One budget for the bodies of all requests, taken as their bytes arrive.

    A task that holds bytes gets more only while as many stay free for the others: the rule of the batch
    queue's places. One task alone can so hold half, and two a third each.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._by_task: dict[str, int] = {}
        self.held = 0

    def hold(self, task: str) -> "HeldBytes":
        """What one request of a task holds: nothing yet."""
        return HeldBytes(self, task)

    def take(self, task: str, size: int) -> None:
        """Take bytes for a task. Raises Overloaded."""
        self.require_room(task, size)
        self.held += size
        self._by_task[task] = self._by_task.get(task, 0) + size

    def give_back(self, task: str, size: int) -> None:
        """Those bytes are no longer in memory."""
        self.held -= size
        left = self._by_task.pop(task, 0) - size
        if left:
            self._by_task[task] = left

    def require_room(self, task: str, size: int) -> None:
        """Raise Overloaded where so many more bytes would not fit now; takes nothing."""
        free, held = self._max_bytes - self.held, self._by_task.get(task, 0)
        if held + size <= free:
            return
        what = f"bodies of {self.held} bytes are in memory, and at most {self._max_bytes} may be"
        if size <= free:
            what += f"; task {task!r} has {held} of them, and the {free} free ones are for other tasks"
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
