"""Adapters on their way to the store: files in a folder that all workers of a service see."""

import asyncio
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from adapters.errors import ArtifactDamaged, ArtifactTooLarge
from service.errors import BadBody, Overloaded, ServiceError, UploadConflict

UPLOADS = "*.part"
KEPT_S = 3600.0
"""How long an upload is kept after its last byte came."""
MOST_BODIES, MOST_UPLOADS = 8, 16
"""So many bodies may be on their way, and so many uploads be in the folder."""
RETRY_AFTER_S = 30.0
HASHED_AT_ONCE = 1_048_576


@dataclass(frozen=True)
class Part:
    """Where the bytes of a request belong in an upload: the first, and how many there are in all if known."""

    first: int = 0
    length: int | None = None
    total: int | None = None


class Uploads:
    """An upload is named by its task and the SHA-256 of all its bytes, and grows at its end only."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._bodies = 0

    @property
    def max_bytes(self) -> int:
        """The most of one upload, and of the adapter in it."""
        return self._max_bytes

    @asynccontextmanager
    async def body(self, pieces: AsyncIterator[bytes], declared: int) -> AsyncIterator[BinaryIO]:
        """A file, gone with the block, with the whole body of one request.

        Raises ArtifactTooLarge, Overloaded, and what `pieces` raises.
        """
        self._check_size(declared)
        if self._bodies >= MOST_BODIES:
            raise Overloaded("many adapters are being uploaded", RETRY_AFTER_S)
        self._bodies += 1
        try:
            await asyncio.to_thread(self._prepare)
            with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
                await self._write(cast("BinaryIO", file), pieces, 0)
                file.seek(0)
                yield cast("BinaryIO", file)
        finally:
            self._bodies -= 1

    async def offset(self, task: str, sha256: str) -> int:
        """How many bytes of an upload are there."""
        await asyncio.to_thread(self._prepare)
        path = self._path(task, sha256)
        return await asyncio.to_thread(lambda: path.stat().st_size if path.exists() else 0)

    async def append(self, task: str, sha256: str, part: Part, pieces: AsyncIterator[bytes]) -> int:
        """Take a part in; what of it was there already is passed over. How many bytes there are now.

        What arrived of a part that is cut off stays. Raises UploadConflict where bytes between are missing
        or another request writes, ArtifactTooLarge, Overloaded, BadBody for a part of another length, and
        ArtifactDamaged where the whole has not the SHA-256 it is named by; then it is gone.
        """
        self._check_size(part.total or part.length or 0)
        path = self._path(task, sha256)
        await asyncio.to_thread(self._make_room, path)
        with _held(path) as file:
            size = file.seek(0, os.SEEK_END)
            if part.first > size:
                raise UploadConflict(f"{size} bytes are there; go on with byte {size}", size)
            arrived = await self._write(file, pieces, size - part.first)
            if part.length is not None and arrived != part.length:
                raise BadBody(f"the part has {arrived} bytes, and {part.length} by its Content-Range")
            now = file.tell()
            if part.total is None or now >= part.total:
                await asyncio.to_thread(_check_digest, file, path, sha256)
            return now

    @contextmanager
    def opened(self, task: str, sha256: str) -> Iterator[BinaryIO]:
        """A complete upload, which goes with a block that ends well.

        Raises UploadConflict, with the bytes that are there, for one that is not complete.
        """
        self._prepare()
        path = self._path(task, sha256)
        with _held(path) as file:
            size = file.seek(0, os.SEEK_END)
            if not size or _digest(file) != sha256:
                if not size:
                    path.unlink(missing_ok=True)
                raise UploadConflict(f"the upload is not complete: {size} bytes are there", size)
            file.seek(0)
            yield file
            path.unlink(missing_ok=True)

    async def _write(self, file: BinaryIO, pieces: AsyncIterator[bytes], passed_over: int) -> int:
        arrived = 0
        async for piece in pieces:
            rest = piece[max(0, passed_over - arrived) :]
            arrived += len(piece)
            if rest:
                await asyncio.to_thread(_write, file, rest)
                self._check_size(file.tell())
        return arrived

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise ArtifactTooLarge(f"the upload has more than the {self._max_bytes} bytes allowed")

    def _make_room(self, path: Path) -> None:
        """Raise Overloaded where there is no room for one more upload."""
        self._prepare()
        if not path.exists() and len(list(self._folder.glob(UPLOADS))) >= MOST_UPLOADS:
            raise Overloaded(f"{MOST_UPLOADS} uploads are waiting to be gone on with", RETRY_AFTER_S)

    def _prepare(self) -> None:
        """Make the folder, of this user alone, and let go what nobody went on with."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._folder.lstat()
        except OSError as error:
            raise ServiceError(f"uploads have no folder: {error.strerror}; see --uploads") from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ServiceError("uploads have no folder of this user's own; see --uploads")
        for path in self._folder.glob(UPLOADS):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > KEPT_S:
                    path.unlink()

    def _path(self, task: str, sha256: str) -> Path:
        return self._folder / f"{task}.{sha256}.part"


@contextmanager
def _held(path: Path) -> Iterator[BinaryIO]:
    """The file, which this request alone may write. Raises UploadConflict."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:  # what arrives stays, whatever comes
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UploadConflict("another request is writing this upload", None) from error
        if not os.fstat(file.fileno()).st_nlink:
            raise UploadConflict("the upload ended just now; ask again", None)
        yield cast("BinaryIO", file)


def _write(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise ServiceError(f"the folder of uploads takes no more: {error.strerror}") from error


def _check_digest(file: BinaryIO, path: Path, sha256: str) -> None:
    found = _digest(file)
    if found != sha256:
        path.unlink(missing_ok=True)
        raise ArtifactDamaged(f"the upload has the SHA-256 {found}, not {sha256}; begin again")


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while data := file.read(HASHED_AT_ONCE):
        digest.update(data)
    return digest.hexdigest()
