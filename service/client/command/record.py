"""What a run has answered so far, in a file that survives the run's end however it ends.

SQLite keeps the answers of a request all or none, so a run that is cut off goes on behind its last answer
(docs/adr/0037-a-run-is-kept-in-sqlite.md). Paths are kept as the system's bytes.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from service.client.answers import Answer
from service.client.errors import ClientError

TABLES = """
CREATE TABLE IF NOT EXISTS run (asked TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pictures
  (path BLOB PRIMARY KEY, answer TEXT, code TEXT, detail TEXT) WITHOUT ROWID;
"""


class RecordUnusable(Exception):
    """The record cannot be used: another run's, in use, damaged, or without room."""


@dataclass(frozen=True)
class Row:
    """A picture's path, and its answer as a JSON object or why there is none."""

    path: str
    answer: Mapping[str, Any] | None
    code: str | None
    detail: str | None

    @classmethod
    def answered(cls, path: Path, answer: Answer) -> "Row":
        """What of an answer is kept."""
        kept = {
            "version": answer.version,
            "label": answer.best.label,
            "probability": answer.best.probability,
            "accepted": answer.accepted,
            "reason": answer.reason,
            "classes": [
                {"index": found.index, "label": found.label, "probability": found.probability}
                for found in answer.classes
            ],
        }
        return cls(str(path), kept, None, None)

    @classmethod
    def failed(cls, path: Path, error: ClientError) -> "Row":
        """Why there is no answer."""
        return cls(str(path), None, error.code, error.detail)


class Record:
    """The file of one run; threads may share it. Every method raises RecordUnusable."""

    def __init__(self, path: Path, asked: Mapping[str, Any]) -> None:
        """Open the file, or make it, for a run that asks this. What failed before is forgotten."""
        self._path, self._lock = path, threading.Lock()
        with self._told():
            self._base = sqlite3.connect(path, timeout=0, check_same_thread=False, isolation_level=None)
            try:
                self._open(json.dumps(asked, sort_keys=True))
            except BaseException:
                self._base.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def has(self, path: Path) -> bool:
        """Whether a picture is answered."""
        with self._told(), self._lock:
            found = self._base.execute(
                "SELECT 1 FROM pictures WHERE path = ? AND code IS NULL", (os.fsencode(path),)
            )
            return found.fetchone() is not None

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows, all of them or none."""
        values = [
            (os.fsencode(row.path), row.answer and json.dumps(row.answer), row.code, row.detail)
            for row in rows
        ]
        with self._told(), self._lock:
            self._base.execute("BEGIN")
            self._base.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)", values)
            self._base.execute("COMMIT")

    def counts(self) -> tuple[int, int]:
        """How many pictures are answered, and how many failed."""
        with self._told(), self._lock:
            query = "SELECT count(*) - count(code), count(code) FROM pictures"
            answered, failed = self._base.execute(query).fetchone()
        return answered, failed

    def rows(self, *, failed: bool) -> Iterator[Row]:
        """The rows with an answer or those without, by path."""
        query = f"SELECT * FROM pictures WHERE code IS {'NOT ' if failed else ''}NULL ORDER BY path"  # noqa: S608
        with self._told(), self._lock:
            for path, answer, code, detail in self._base.execute(query):
                yield Row(os.fsdecode(path), answer and json.loads(answer), code, detail)

    def is_empty(self) -> bool:
        """Whether nothing was kept so far."""
        return self.counts() == (0, 0)

    def remove(self) -> None:
        """Close and delete the file."""
        self._base.close()
        self._path.unlink()

    def _open(self, asked: str) -> None:
        # Exclusive: a second process on the same file is refused, and no shared memory lies beside it.
        self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.executescript(TABLES)
        known = self._base.execute("SELECT asked FROM run").fetchone()
        if known is None:
            self._base.execute("INSERT INTO run VALUES (?)", (asked,))
        elif known[0] != asked:
            raise RecordUnusable(f"{self._path} is of a run that asked {known[0]}, not {asked}")
        self._base.execute("DELETE FROM pictures WHERE code IS NOT NULL")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            locked = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            why = "another run is using it" if locked else str(error)
            raise RecordUnusable(f"{self._path}: {why}") from error
