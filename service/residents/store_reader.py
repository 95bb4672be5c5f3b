"""Looks at a store: at what its journal names, and in slices between at everything (docs/adr/0028)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from time import monotonic, sleep

from adapters.store.journal import Position
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord

WHOLE_SHARE = 0.003
"""Most of the time that looks at everything take beside a journal."""
NO_JOURNAL_SHARE = 0.1
NO_JOURNAL_S = 1.0
"""Time between two looks at everything where the journal does not tell all."""
NOT_TRUSTED_S = 600.0
"""How long a journal is taken not to tell all after something was found that no entry announced."""
ANNOUNCED_WITHIN_S = 5.0
"""How long after a change was found its entry may come: writers write it last."""
SLICE_S = 0.005
"""About the time that a look at everything takes of each look at the journal."""
TASKS_AT_ONCE = 32


@dataclass(frozen=True)
class Looked:
    """What a look found of tasks that are not what they were, and of those that it was to look at again.

    `whole_s`: what a look at everything that ended with this one took; None if none did. `more`: one goes on.
    `took_s`: of the looks alone where several were made.
    """

    records: Mapping[str, TaskRecord]
    whole_s: float | None = None
    more: bool = False
    took_s: float = 0.0


class StoreReader:
    """Belongs to one thread at a time. With a `whole_interval_s` of 0 every look is at everything."""

    def __init__(self, store: Store, whole_interval_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._whole_interval_s = whole_interval_s
        self._clock = clock
        self._position: Position | None = None
        self._seen: dict[str, TaskRecord] = {}
        self._unannounced: dict[str, float] = {}
        self._due_s = 0.0
        self._not_trusted_until_s = 0.0
        self._left: Iterator[str] | None = None
        """The tasks that the look at everything under way has not come to."""
        self._took_s = 0.0

    def watch(self, again: Iterable[str], interval_s: float, limit_s: float, *, anew: bool = False) -> Looked:
        """Look, and so on at an interval until there is something to tell, or so much time has passed.

        `anew`: a look at everything begins now, whether or not one goes on. Sleeps here: to wake an event
        loop for each look at a journal costs fifty times as much as the look.
        """
        if anew:
            self._left, self._due_s = None, 0.0
        began_s, took_s = self._clock(), 0.0
        while True:
            look_s = self._clock()
            looked = self.look(again)
            now_s = self._clock()
            took_s += now_s - look_s
            told = looked.records or looked.more or looked.whole_s is not None or again
            if told or now_s + interval_s - began_s > limit_s:
                return replace(looked, took_s=took_s)
            sleep(interval_s)

    def look(self, again: Iterable[str] = ()) -> Looked:
        """Look at what happened since the last look, and at the tasks `again`; go on with everything if due.

        The first look takes the index, if there is one. Raises what `Store.look` raises, and OSError; then a
        look at everything begins anew.
        """
        try:
            if self._position is None or self._whole_interval_s == 0:
                return self._first() or self._everything(set(again))
            found = self._news(set(again))
            if self._left is None and self._clock() >= self._due_s:
                self._left, self._took_s = self._listed(), 0.0
            changed, whole_s = self._slice()
            return Looked({**found, **changed}, whole_s, more=self._left is not None)
        except BaseException:
            self._left, self._due_s = None, 0.0
            raise

    def _first(self) -> Looked | None:
        """What the index has and the journal since; the look at everything follows soon."""
        if self._position is not None or self._whole_interval_s == 0:
            return None
        found = self._store.indexed()
        news = self._store.journal.after(found[1]) if found else None
        if found is None or news is None:
            return None
        records = found[0] | self._store.look(news.tasks)
        self._seen = records.copy()
        self._position, self._due_s = news.position, self._clock() + NO_JOURNAL_S
        return Looked(records)

    def _news(self, again: set[str]) -> dict[str, TaskRecord]:
        """The tasks that entries name; where that cannot be told, everything is looked at anew."""
        position = self._position or Position()
        news = self._store.journal.after(position)
        if news is None:
            self._left, self._due_s = None, 0.0
        tasks = (news.tasks if news else frozenset()) | again
        after = news.position if news else self._store.journal.position()
        records = self._store.look(tasks) if tasks else {}
        self._take(records)
        self._position = after
        self._judge_journal(news.tasks if news else frozenset())
        return records

    def _everything(self, again: set[str]) -> Looked:
        """In one go: before the first look there is nothing else to do."""
        began_s = self._clock()
        position = self._store.journal.position()  # first, so that an entry meanwhile is read again
        records = self._store.look({*self._listed(), *again})
        changed = self._take(records)
        self._position = position
        took_s = self._ended(self._clock() - began_s)
        return Looked({task: records[task] for task in again} | changed, took_s)

    def _listed(self) -> Iterator[str]:
        """Every task there is, and those that were there."""
        self._store.check_backbone()
        listed = self._store.unsorted_task_folders()
        there = set(listed)
        return chain(listed, [task for task in self._seen if task not in there])

    def _slice(self) -> tuple[dict[str, TaskRecord], float | None]:
        """Go on with the look at everything: what changed, and what it took if that is its end."""
        began_s = now_s = self._clock()
        changed: dict[str, TaskRecord] = {}
        tasks: list[str] = []
        while self._left is not None and now_s - began_s < SLICE_S:
            tasks = list(islice(self._left, TASKS_AT_ONCE))
            if not tasks:
                break
            changed |= self._take(self._store.look(tasks))
            now_s = self._clock()
        for task in changed:
            self._unannounced.setdefault(task, now_s)
        self._took_s += now_s - began_s
        return changed, None if tasks or self._left is None else self._ended(self._took_s)

    def _ended(self, took_s: float) -> float:
        """Say when the next look at everything is due."""
        now_s = self._clock()
        self._left = None
        trusted = self._position is not None and self._position.number > 0
        trusted = trusted and now_s >= self._not_trusted_until_s
        share = WHOLE_SHARE if trusted else NO_JOURNAL_SHARE
        interval_s = self._whole_interval_s if trusted else min(self._whole_interval_s, NO_JOURNAL_S)
        self._due_s = now_s + max(interval_s, took_s / share)
        return took_s

    def _judge_journal(self, announced: Iterable[str]) -> None:
        """See whether all that changed was announced: old releases announce nothing."""
        for task in announced:
            self._unannounced.pop(task, None)
        now_s = self._clock()
        if any(now_s - found_s >= ANNOUNCED_WITHIN_S for found_s in self._unannounced.values()):
            self._unannounced.clear()
            self._not_trusted_until_s = now_s + NOT_TRUSTED_S
            self._due_s = min(self._due_s, now_s + NO_JOURNAL_S)

    def _take(self, records: Mapping[str, TaskRecord]) -> dict[str, TaskRecord]:
        """Those that are not what they were; of the others the old records stay: the registry has those."""
        changed = {name: record for name, record in records.items() if self._changed(name, record)}
        for name, record in changed.items():
            if record.versions or record.problems:
                self._seen[name] = record
            else:
                self._seen.pop(name, None)
        return changed

    def _changed(self, name: str, now: TaskRecord) -> bool:
        before = self._seen.get(name) or TaskRecord(name, (), {})
        return _told(before) != _told(now)


def _told(record: TaskRecord) -> tuple[object, ...]:
    return record.stamps, record.labels, record.rules, record.problems
