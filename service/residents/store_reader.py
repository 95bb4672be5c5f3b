"""Looks at a store: at what its journal names, and rarely at everything (docs/adr/0028)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

from adapters.store.journal import Position
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord

WHOLE_SHARE = 0.01
"""Most of the time that looks at everything take beside a journal."""
NO_JOURNAL_SHARE = 0.1
NO_JOURNAL_S = 1.0
"""Time between two looks at everything where the journal does not tell all."""
NOT_TRUSTED_S = 600.0
"""How long a journal is taken not to tell all after something was found that no entry announced."""


@dataclass(frozen=True)
class Looked:
    """What a look found: of every task if it was `whole`, else of those it looked at."""

    records: Mapping[str, TaskRecord]
    whole: bool


class StoreReader:
    """Belongs to one thread at a time. With a `whole_interval_s` of 0 every look is at everything."""

    def __init__(self, store: Store, whole_interval_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._whole_interval_s = whole_interval_s
        self._clock = clock
        self._position: Position | None = None
        self._seen: dict[str, TaskRecord] = {}
        self._due_s = 0.0
        self._not_trusted_until_s = 0.0

    @property
    def always_whole(self) -> bool:
        """Whether every look is at everything."""
        return self._whole_interval_s == 0

    def look(self, again: Iterable[str] = ()) -> Looked:
        """Look at what happened since the last look, and at the tasks `again`; everything where it is due.

        The first look takes the index, if there is one. Raises what `Store.look` raises, and OSError; the
        next look is then at everything.
        """
        try:
            looked = None if self.always_whole else self._first() or self._news(again)
            return looked or self._everything()
        except BaseException:
            self._due_s = 0.0
            raise

    def _first(self) -> Looked | None:
        """What the index has and the journal since; the look at everything follows soon."""
        found = self._store.indexed() if self._position is None else None
        news = self._store.journal.after(found[1]) if found else None
        if found is None or news is None:
            return None
        self._seen = {**found[0], **self._store.look(news.tasks)}
        self._position, self._due_s = news.position, self._clock() + NO_JOURNAL_S
        return Looked(self._seen.copy(), whole=True)

    def _news(self, again: Iterable[str]) -> Looked | None:
        if self._position is None or self._clock() >= self._due_s:
            return None
        news = self._store.journal.after(self._position)
        if news is None:
            return None
        tasks = {*news.tasks, *again}
        records = self._store.look(tasks) if tasks else {}
        self._seen |= records
        self._position = news.position
        return Looked(records, whole=False)

    def _everything(self) -> Looked:
        started_s = self._clock()
        position = self._store.journal.position()  # first, so that an entry meanwhile is read again
        records = self._store.look()
        self._judge_journal(records)
        self._position, self._seen = position, dict(records)
        now_s = self._clock()
        trusted = position.number > 0 and now_s >= self._not_trusted_until_s
        share = WHOLE_SHARE if trusted else NO_JOURNAL_SHARE
        interval_s = self._whole_interval_s if trusted else min(self._whole_interval_s, NO_JOURNAL_S)
        self._due_s = now_s + max(interval_s, (now_s - started_s) / share)
        return Looked(records, whole=True)

    def _judge_journal(self, records: Mapping[str, TaskRecord]) -> None:
        """See whether all that changed since the last look was announced: old releases announce nothing."""
        news = self._store.journal.after(self._position) if self._position else None
        if news is not None:
            changed = {name for name in {*self._seen, *records} if self._changed(name, records)}
            if changed - news.tasks:
                self._not_trusted_until_s = self._clock() + NOT_TRUSTED_S

    def _changed(self, name: str, records: Mapping[str, TaskRecord]) -> bool:
        none = TaskRecord(name, (), {})
        before, now = self._seen.get(name, none), records.get(name, none)
        return (before.stamps, before.labels) != (now.stamps, now.labels)
