"""The answers of the last requests, for those who tell later what was right."""

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import time_ns

UNTOLD = -1


@dataclass(frozen=True)
class Asked:
    """Who asked: a request by its id, and the key it showed, empty without keys."""

    request_id: str = ""
    key: str = ""


@dataclass(eq=False, slots=True)
class RecentAnswer:
    """Each picture's likeliest class as `version` answered it, and its true one or `UNTOLD`.

    `reused`: another request of that key had the same id and got another answer, so none can be told apart.
    """

    key: str
    version: int
    predicted: "array[int]"
    at_ns: int = field(default_factory=time_ns)
    true: "array[int] | None" = None
    reused: bool = False


class RecentAnswers:
    """At most `limit` answers, the latest; belongs to the event loop's thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._answers: OrderedDict[tuple[str, str], list[RecentAnswer]] = OrderedDict()

    def remember(self, task: str, asked: Asked, version: int, predicted: Iterable[int]) -> None:
        """Keep what a request was answered; a request that is sent again and answered alike is the same."""
        if not self._limit or not asked.request_id:
            return
        answers = self._answers.setdefault((task, asked.request_id), [])
        new = RecentAnswer(asked.key, version, array("i", predicted))
        before = next((answer for answer in answers if answer.key == asked.key), None)
        if before is None:
            answers.append(new)
            self._count += 1
        elif (before.version, before.predicted) != (new.version, new.predicted):
            before.reused = True
        self._answers.move_to_end((task, asked.request_id))
        while self._count > self._limit:
            self._count -= len(self._answers.popitem(last=False)[1])

    def of(self, task: str, request_id: str) -> Sequence[RecentAnswer]:
        """The answers to requests with this id, one of each key."""
        return self._answers.get((task, request_id), ())


def the_answer(answers: Sequence[RecentAnswer], key: str) -> RecentAnswer | None:
    """The one that who shows `key` can only mean: his own, or else the only one; None where there are more.

    Of equal ones, which one request made that was sent again, it is the first. `answers` is not empty.
    """
    own = [answer for answer in answers if answer.key == key] or answers
    different = {(answer.version, answer.predicted.tobytes()) for answer in own}
    if len(different) > 1 or any(answer.reused for answer in own):
        return None
    return min(own, key=lambda answer: answer.at_ns)
