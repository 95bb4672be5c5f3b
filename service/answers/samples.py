"""Uncertain pictures, kept for labelling where the operator named a place for them; never otherwise."""

import json
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from adapters.errors import DvptError
from service.answers.sample_place import SamplePlace
from service.logs import log_event
from service.metrics import Metrics
from service.residents.storage_threads import StorageThreads

logger = logging.getLogger("service.samples")
MOST_HELD_BYTES = 64_000_000
"""Pictures held in memory for it, of requests under way and of those that wait to be written."""
FACTS = ".json"
SIGNATURES = (
    (b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"RIFF", ".webp"), (b"BM", ".bmp"),
    (b"II", ".tif"), (b"MM", ".tif"), (b"P", ".ppm"),
)  # fmt: skip


@dataclass(frozen=True)
class SampleLimits:
    """Of which part of the requests, below which margin, and how many of a task in an hour and in all."""

    share: float
    margin: float
    per_hour: int
    most: int


class Samples:
    """Keeps pictures in a place, a folder for each task, each with its answer beside it.

    A picture and its facts are whole writes, the picture first. The caps hold for all processes that keep
    samples there, in a bucket for each process. Writing is done on a thread of its own, which no answer
    waits for.
    """

    def __init__(
        self,
        place: SamplePlace,
        limits: SampleLimits,
        threads: StorageThreads,
        metrics: Metrics,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.limits = limits
        self._place = place
        self._threads = threads
        self._metrics = metrics
        self._now = now
        self._held_bytes = 0
        self._counting = threading.Lock()
        self._full: dict[str, str] = {}
        """The tasks that have enough, and in which hour."""

    @contextmanager
    def keeping(self, task: str, pictures: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
        """Hold a request's encoded pictures until it is answered; none of one that is not chosen."""
        size = sum(map(len, pictures))
        chosen = random.random() < self.limits.share and self._full.get(task) != _hour(self._now())  # noqa: S311
        if not chosen or not self._hold(size):
            yield ()
            return
        try:
            yield tuple(pictures)
        finally:
            self._release(size)

    def offer(self, task: str, picture: bytes, facts: Mapping[str, Any]) -> None:
        """Have a picture written once the thread comes to it; dropped where too much waits."""
        size = len(picture)
        if not self._hold(size):
            self._metrics.samples.labels("dropped").inc()
            return
        written = self._threads.submit(self._write, task, picture, facts)
        written.add_done_callback(lambda _: self._release(size))

    def _hold(self, size: int) -> bool:
        with self._counting:
            if self._held_bytes + size > MOST_HELD_BYTES:
                return False
            self._held_bytes += size
            return True

    def _release(self, size: int) -> None:
        with self._counting:
            self._held_bytes -= size

    def _write(self, task: str, picture: bytes, facts: Mapping[str, Any]) -> None:
        """On the thread. What goes wrong with one is told and no more."""
        try:
            outcome = self._placed(task, picture, facts)
        except (DvptError, OSError) as error:
            log_event(logger, logging.WARNING, "sample_failed", task=task, error=error)
            outcome = "failed"
        self._metrics.samples.labels(outcome).inc()

    def _placed(self, task: str, picture: bytes, facts: Mapping[str, Any]) -> str:
        now = self._now()
        with self._place.lock(task):
            there = [name for name in self._place.files(task) if not name.endswith(FACTS)]
            this_hour = sum(name.startswith(_hour(now)) for name in there)
            if len(there) >= self.limits.most or this_hour >= self.limits.per_hour:
                others = {other: hour for other, hour in self._full.items() if hour == _hour(now)}
                self._full = {**others, task: _hour(now)}
                return "full"
            stem = f"{now:%Y%m%dT%H%M%S}-{token_hex(4)}"
            name = stem + _suffix(picture)
            self._place.put(f"{task}/{name}", picture)
            when = now.isoformat(timespec="milliseconds")
            content = json.dumps({"picture": name, "when": when, **facts}, ensure_ascii=False, indent=1)
            self._place.put(f"{task}/{stem}{FACTS}", content.encode() + b"\n")
        return "kept"


def _hour(when: datetime) -> str:
    return f"{when:%Y%m%dT%H}"


def _suffix(picture: bytes) -> str:
    return next((suffix for start, suffix in SIGNATURES if picture.startswith(start)), ".picture")
