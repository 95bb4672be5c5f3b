"""Which of very many tasks to list."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """`limit` tasks at most, behind `after`, whose names begin with `prefix` and have `search` in them."""

    limit: int
    after: str = ""
    prefix: str = ""
    search: str = ""

    def names(self, ordered: Sequence[str]) -> Iterator[str]:
        """Those of the names, which are in order, that are asked for; the limit is left to the caller."""
        begin = max(bisect_right(ordered, self.after), bisect_left(ordered, self.prefix))
        for index in range(begin, len(ordered)):
            if not ordered[index].startswith(self.prefix):
                return
            if self.search in ordered[index]:
                yield ordered[index]
