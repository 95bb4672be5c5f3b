"""The file of keys: JSON, written whole or not at all, by one writer at a time."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from service.access.key_record import KeyList
from service.errors import KeyFileUnusable

MAX_BYTES = 64 * 1024**2
OWNER_ONLY = 0o600


class KeyFile:
    """Keys in a file that a running service reads again when it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> KeyList:
        """All keys. Raises KeyFileUnusable, which names what is wrong and where, and shows no hash."""
        try:
            with self.path.open("rb") as file:
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise KeyFileUnusable(f"{self.path} cannot be read: {error.strerror or error}") from error
        if len(text) > MAX_BYTES:
            raise KeyFileUnusable(f"{self.path} has more than {MAX_BYTES} bytes")
        try:
            return KeyList.model_validate_json(text)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, fault["loc"])) or "the whole"
            raise KeyFileUnusable(f"{self.path} is no file of keys: {where}: {fault['msg']}") from None

    def change(self, change: Callable[[KeyList], KeyList]) -> KeyList:
        """Read, change and write while no other writer does; there may be no file yet.

        Raises KeyFileUnusable.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"):
                keys = change(self.read() if self.path.exists() else KeyList())
                self._write(keys)
        except OSError as error:
            raise KeyFileUnusable(f"{self.path} cannot be written: {error.strerror or error}") from error
        return keys

    def stamp(self) -> tuple[int, int, int] | None:
        """What changes with the file; None where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _write(self, keys: KeyList) -> None:
        descriptor, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        unfinished = Path(name)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(keys.model_dump_json(indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.chmod(self._mode())
            unfinished.replace(self.path)
        finally:
            unfinished.unlink(missing_ok=True)
        _sync_folder(self.path.parent)

    def _mode(self) -> int:
        """Who may read stays as it was: a service under another user needs a group, say."""
        with suppress(OSError):
            return self.path.stat().st_mode & 0o777
        return OWNER_ONLY


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
