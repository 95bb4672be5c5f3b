"""The journal of a store: numbered entries that each name a task to look at (docs/adr/0028).

The commit rule alone decides what exists; an entry follows what it announces, and may be missing.
"""

import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import StringConstraints

from adapters.config import FORMAT_VERSION, StrictModel
from adapters.errors import ArtifactDamaged, ArtifactError, StoreConflict
from adapters.store.files import Files, Stamp
from adapters.store.names import is_task_name
from adapters.store.strict_json import parse_json

JOURNAL_FOLDER = "_journal"
ENTRY_NAME = re.compile(r"[0-9]{12}")
PROBE = "probe"
KEPT = 1000
"""The newest entries, which stay; a reader that is further behind looks at everything."""
REMOVED_AT_ONCE = 2
APPEND_ATTEMPTS = 20


class Entry(StrictModel):
    """`_journal/<number>`: a task that changed, null where an index began the journal; `id` is random."""

    format_version: Literal[1] = FORMAT_VERSION
    task: str | None
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


@dataclass(frozen=True)
class Position:
    """The last entry that was read, its stamp and its id; number 0 where there was none."""

    number: int = 0
    stamp: Stamp | None = None
    id: str = ""


@dataclass(frozen=True)
class News:
    """The tasks that the entries behind a position name, and the position behind those."""

    tasks: frozenset[str]
    position: Position


@dataclass(frozen=True)
class Journal:
    """The entries of one store. Any number of processes append and read at once, without a lock."""

    files: Files

    def append(self, task: str | None) -> int:
        """Announce what is there by now; the entry's number.

        Raises OSError, ArtifactDamaged for a journal that is a link, and StoreConflict where no entry stays
        behind the others.
        """
        data = Entry(task=task, id=secrets.token_hex(16)).model_dump_json().encode() + b"\n"
        for _ in range(APPEND_ATTEMPTS):
            number = tail(self._numbers()) + 1
            while self.files.exists(entry_key(number)) or not self.files.put_exclusive(
                entry_key(number), data
            ):
                number += 1
            # Who slept before the write may have taken a number that was compacted, where nobody reads on.
            # What is compacted is KEPT behind the tail; listed after the write, that shows.
            numbers = self._numbers()
            if tail(numbers) < number + KEPT:
                self._compact(numbers)
                return number
        raise StoreConflict(f"no entry stayed at the end of {JOURNAL_FOLDER}")

    def position(self) -> Position:
        """The end of the journal now."""
        number = tail(self._numbers())
        if not number:
            return Position()
        stamp, entry = self.files.stamp(entry_key(number)), self.entry(number)
        return Position(number, stamp, entry.id if entry else "")

    def after(self, position: Position) -> News | None:
        """What came behind a position; None where that cannot be told and everything is to be looked at.

        Costs two stamps where nothing came. Raises OSError where the journal cannot be reached.
        """
        if position.number == 0:
            first = min(self._numbers(), default=1)
            if first != 1:
                return None
        tasks, end = set(), position
        while (stamp := self.files.stamp(entry_key(end.number + 1))) is not None:
            entry = self.entry(end.number + 1)
            if entry is None or (entry.task is not None and not is_task_name(entry.task)):
                return None
            if entry.task is not None:
                tasks.add(entry.task)
            end = Position(end.number + 1, stamp, entry.id)
        # Looked at last: entries go oldest first, so with this one all behind it are there still.
        found = self._found_again(position) if position.number else position
        return News(frozenset(tasks), found if end is position else end) if found else None

    def _found_again(self, position: Position) -> Position | None:
        """The position as its entry is now; None where that is gone or another.

        A directory's exclusive write takes away its temporary name last, which changes the times of what is
        there already, so that another stamp alone says nothing.
        """
        stamp = self.files.stamp(entry_key(position.number))
        if stamp == position.stamp:
            return position
        entry = self.entry(position.number) if position.id else None
        return replace(position, stamp=stamp) if entry and entry.id == position.id else None

    def entry(self, number: int) -> Entry | None:
        """One entry; None where there is none, or none that makes sense."""
        with suppress(FileNotFoundError, ArtifactDamaged, ArtifactError):
            return parse_json(Entry, self.files.read(entry_key(number)), entry_key(number))
        return None

    def fault(self) -> str | None:
        """Why this process cannot write to the journal; None where it can, or there is none yet."""
        if JOURNAL_FOLDER not in {*self.files.folders(), *self.files.files("")}:
            return None
        key = f"{JOURNAL_FOLDER}/{PROBE}"
        try:
            self.files.put(key, b"")
            self.files.remove(key)
        except (OSError, ArtifactDamaged) as error:
            return str(getattr(error, "strerror", None) or error)
        return None

    def _numbers(self) -> list[int]:
        names = self.files.files(JOURNAL_FOLDER)
        return sorted(int(name) for name in names if ENTRY_NAME.fullmatch(name) and int(name))

    def _compact(self, numbers: Sequence[int]) -> None:
        """Remove a few of the oldest entries; ascending, which `after` relies on."""
        last = tail(numbers) - KEPT
        for number in numbers[:REMOVED_AT_ONCE]:
            if number <= last:
                self.files.remove(entry_key(number))


def entry_key(number: int) -> str:
    """Where an entry is in the store."""
    return f"{JOURNAL_FOLDER}/{number:012d}"


def tail(numbers: Sequence[int]) -> int:
    """The end of the longest run of consecutive numbers, which are in order; the first such; 0 for none.

    A file that is no writer's, with a number far ahead or behind, is a short run.
    """
    best = end = length = 0
    longest = 0
    for number in numbers:
        length = length + 1 if number == end + 1 else 1
        end = number
        if length > longest:
            longest, best = length, number
    return best
