"""The keys that are valid now, and who holds the one that was shown."""

import asyncio
import hashlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from service.access.key_file import KeyFile
from service.access.key_record import KeyRecord
from service.access.secret import HashedSecret, matches, parsed
from service.errors import KeyFileUnusable, Overloaded
from service.logs import log_event

logger = logging.getLogger("service.access")
LOOK_INTERVAL_S = 1.0
MOST_REMEMBERED = 4096
MOST_CHECKS = 16
"""Slow hashes that may be under way or wait; who shows wrong keys shall not keep the processor."""


class Keyring:
    """Keys of a file, which is looked at each second; a file that cannot be read leaves them as they are.

    A key's slow hash is computed when it is first shown. From then on it is known by a fast keyed hash, whose
    key is drawn when the process starts and leaves it never.
    """

    def __init__(self, file: KeyFile, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Raises KeyFileUnusable for a file that cannot be read."""
        self._file = file
        self._now = now
        self._pepper = secrets.token_bytes(32)
        self._stamp = file.stamp()
        self._records = _by_id(file)
        self._seen: OrderedDict[bytes, HashedSecret | None] = OrderedDict()
        self._one_at_a_time = asyncio.Semaphore(1)
        self._checks = 0

    @property
    def records(self) -> Mapping[str, KeyRecord]:
        """All keys by their ids, also those that are revoked."""
        return self._records

    async def holder(self, text: str) -> KeyRecord | None:
        """The valid key with that text; None if there is none. Raises Overloaded while many are checked."""
        shown = parsed(text)
        record = self._records.get(shown.id) if shown else None
        if shown is None or record is None or not record.is_valid(self._now()):
            return None
        digest = hashlib.blake2b(text.encode(), key=self._pepper).digest()
        if digest not in self._seen:
            right = await self._check(shown.secret, record.hashed)
            self._remember(digest, record.hashed if right else None)
        # Of the file as it is now: the key may have been replaced while it was checked, or since.
        current = self._records.get(shown.id)
        if current is None or not current.is_valid(self._now()):
            return None
        return current if self._seen.get(digest) == current.hashed else None

    async def follow(self) -> None:
        """Read the file again whenever it has changed, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Read the file if it is another than the last that was looked at."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            records = _by_id(self._file)
        except KeyFileUnusable as error:
            log_event(logger, logging.ERROR, "keys_unusable", reason=str(error), kept=len(self._records))
            return
        self._records = records
        self._seen = OrderedDict()
        valid = sum(record.is_valid(self._now()) for record in records.values())
        log_event(logger, logging.INFO, "keys_read", keys=len(records), valid=valid)

    async def _check(self, secret: str, kept: HashedSecret) -> bool:
        if self._checks >= MOST_CHECKS:
            raise Overloaded("many keys are checked for the first time", 1.0)
        self._checks += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(matches, secret, kept)
        finally:
            self._checks -= 1

    def _remember(self, digest: bytes, kept: HashedSecret | None) -> None:
        self._seen[digest] = kept
        while len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)


def _by_id(file: KeyFile) -> dict[str, KeyRecord]:
    return {record.id: record for record in file.read().keys}
