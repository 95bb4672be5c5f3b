"""The store's files in a local directory: whole writes, exclusive writes, listings, a lock per folder.

Keys are `/`-separated and relative to the root. Everything but `lock` has an equal on an object store.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.errors import ArtifactDamaged

LOCK_FILE = ".lock"


@dataclass(frozen=True)
class LocalFiles:
    """Files under `root`. Names that begin with a dot are this class's own and never listed."""

    root: Path

    def read(self, key: str) -> bytes:
        """The bytes of a file.

        Raises FileNotFoundError, and ArtifactDamaged for a file that cannot be read or a symbolic link.
        """
        path = self._path(key)
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = "a store holds no symbolic links" if path.is_symlink() else error.strerror
            raise ArtifactDamaged(f"{key} cannot be read: {reason}") from error

    def put(self, key: str, data: bytes) -> None:
        """Write a file whole or not at all, and have it on the disk before returning."""
        path = self._path(key)
        temporary = _write_temporary(path, data)
        temporary.replace(path)
        _sync_directory(path.parent)

    def put_exclusive(self, key: str, data: bytes) -> bool:
        """As `put`, but only where nothing is; False if something is."""
        path = self._path(key)
        temporary = _write_temporary(path, data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        _sync_directory(path.parent)
        return True

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        # A watcher asks this for every version of every task: a Path would cost more than the call.
        return os.path.exists(f"{self.root}/{key}")  # noqa: PTH110

    def remove(self, key: str) -> None:
        """Remove a file, on the disk before returning; nothing happens where there is none."""
        path = self._path(key)
        with suppress(FileNotFoundError):
            path.unlink()
            _sync_directory(path.parent)

    def folders(self, key: str = "") -> list[str]:
        """Names of the folders in a folder; symbolic links are none."""
        return [name for name, is_folder in self._entries(key) if is_folder]

    def files(self, key: str) -> list[str]:
        """Names of the files in a folder."""
        return [name for name, is_folder in self._entries(key) if not is_folder]

    def age_s(self, key: str) -> float:
        """Seconds since the last change of anything in a folder, 0 where there is no such folder."""
        try:
            with os.scandir(self.root / key) as entries:
                times = [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
            times.append((self.root / key).stat().st_mtime)
        except FileNotFoundError:
            return 0.0
        return time.time() - max(times)

    def remove_temporaries(self, key: str, older_than_s: float) -> None:
        """Remove what interrupted writes left in a folder."""
        with suppress(FileNotFoundError):
            for path in (self.root / key).glob(".*.tmp"):
                with suppress(FileNotFoundError):
                    if time.time() - path.lstat().st_mtime > older_than_s:
                        path.unlink()

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold a folder against other writers in any process; the system frees it with the process."""
        descriptor = os.open(self.root / key / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _entries(self, key: str) -> list[tuple[str, bool]]:
        try:
            with os.scandir(f"{self.root}/{key}") as entries:
                return [
                    (entry.name, entry.is_dir(follow_symlinks=False))
                    for entry in entries
                    if not entry.name.startswith(".")
                ]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _path(self, key: str) -> Path:
        """Where a key's file is; no folder below the root may be a link, which could lead anywhere."""
        path = self.root
        *folders, name = key.split("/")
        for folder in folders:
            path = path / folder
            if path.is_symlink():
                raise ArtifactDamaged(f"{path.relative_to(self.root)} is a symbolic link; a store holds none")
        return path / name


def _write_temporary(path: Path, data: bytes) -> Path:
    _make_directories(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _make_directories(path: Path) -> None:
    """Make a directory and the missing ones above it, each entered in its parent on the disk."""
    if not path.is_dir():
        _make_directories(path.parent)
        path.mkdir(exist_ok=True)
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
