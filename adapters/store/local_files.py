"""The backend for a local directory: renames, hard links and `flock`. The contract is that of files.py."""

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from filelock import FileLock

from adapters.errors import ArtifactDamaged, ConfigError
from adapters.store.names import check_key

LOCK_FILE = ".lock"
EXCLUSIVE_LOCK_FILE = ".exclusive.lock"
NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
LOCK_POLL_S = 0.01


@dataclass(frozen=True)
class LocalFiles:
    """Files under `root`."""

    root: Path

    @classmethod
    def from_url(cls, url: str) -> "LocalFiles":
        """`file:///srv/store` → the files in /srv/store. Raises ConfigError."""
        path = unquote(url.partition("://")[2])
        if not path.startswith("/"):
            raise ConfigError(f"{url!r} names no directory of this machine; write file:///and/its/path")
        return cls(Path(path))

    @property
    def url(self) -> str:
        """The path, as it was given."""
        return str(self.root)

    def identity(self) -> tuple[int, int]:
        """Device and number of the directory. Raises FileNotFoundError."""
        found = os.stat(self.root)  # noqa: PTH116
        return found.st_dev, found.st_ino

    def read(self, key: str) -> bytes:
        """The bytes of a file. Raises FileNotFoundError, and ArtifactDamaged for a symbolic link."""
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
            placed = _place_exclusively(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        if placed:
            _sync_directory(path.parent)
        return placed

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        return os.path.exists(f"{self.root}/{check_key(key)}")  # noqa: PTH110

    def stamp(self, key: str) -> tuple[int, int, int] | None:
        """Size and times in nanoseconds. Raises OSError where it cannot be told whether the file is there."""
        # A watcher asks this for every version of every task: a Path would cost more than the call.
        try:
            found = os.stat(f"{self.root}/{check_key(key)}")  # noqa: PTH116
        except OSError as error:
            if error.errno in NOT_THERE:
                return None
            raise
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def remove(self, key: str) -> None:
        """Remove a file, on the disk before returning; nothing happens where there is none."""
        path = self._path(key)
        with suppress(FileNotFoundError):
            path.unlink()
            _sync_directory(path.parent)

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders in a folder; symbolic links are none."""
        return [name for name, is_folder in self._entries(folder) if is_folder]

    def files(self, folder: str) -> list[str]:
        """Names of the files in a folder, with those of symbolic links."""
        return [name for name, is_folder in self._entries(folder) if not is_folder]

    def fingerprint(self, folder: str) -> frozenset[tuple[str | int, ...]]:
        """Names, sizes and times in nanoseconds of a folder's files; a change of mode is one of times."""
        try:
            with os.scandir(self._folder(folder)) as entries:
                stats = [
                    (entry.name, entry.stat(follow_symlinks=False))
                    for entry in entries
                    if not entry.name.startswith(".") and not entry.is_dir(follow_symlinks=False)
                ]
        except OSError:
            return frozenset()
        return frozenset((name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats)

    def age_s(self, folder: str) -> float:
        """Seconds since the last change of anything in a folder, 0 where there is no such folder."""
        path = self._folder(folder)
        try:
            with os.scandir(path) as entries:
                times = [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
            times.append(os.stat(path).st_mtime)  # noqa: PTH116
        except FileNotFoundError:
            return 0.0
        return time.time() - max(times)

    def remove_temporaries(self, folder: str, older_than_s: float) -> None:
        """Remove what interrupted writes left in a folder."""
        with suppress(FileNotFoundError):
            for path in Path(self._folder(folder)).glob(".*.tmp"):
                with suppress(FileNotFoundError):
                    if time.time() - path.lstat().st_mtime > older_than_s:
                        path.unlink()

    @contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        """Hold a folder by `flock` on a file in it, which stays."""
        path = self._inside(check_key(folder) if folder else "", LOCK_FILE)
        with _flock(path):
            yield

    def _entries(self, folder: str) -> list[tuple[str, bool]]:
        try:
            with os.scandir(self._folder(folder)) as entries:
                return [
                    (entry.name, entry.is_dir(follow_symlinks=False))
                    for entry in entries
                    if not entry.name.startswith(".")
                ]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _folder(self, folder: str) -> str:
        return f"{self.root}/{check_key(folder)}" if folder else f"{self.root}"

    def _path(self, key: str) -> Path:
        folder, _, name = check_key(key).rpartition("/")
        return self._inside(folder, name)

    def _inside(self, folder: str, name: str) -> Path:
        """A file's path; no folder below the root may be a link, which could lead anywhere."""
        path = self.root
        for part in folder.split("/") if folder else ():
            path = path / part
            if path.is_symlink():
                raise ArtifactDamaged(f"{path.relative_to(self.root)} is a symbolic link; a store holds none")
        return path / name


@contextmanager
def _flock(path: Path) -> Iterator[None]:
    # Where there is no flock, filelock would else take to a file that outlives a killed process.
    lock = FileLock(path, poll_interval=LOCK_POLL_S, fallback_to_soft=False)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        raise ConfigError(
            f"{path.parent} is on a file system without locks (flock), which a store needs"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _place_exclusively(temporary: Path, path: Path) -> bool:
    """Give a whole file its name unless something has it; whether it got it.

    Where there are no hard links (exFAT, some network shares) those who want the name take turns. Every
    writer of one place finds the same there, so nobody links while another holds the lock.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
    else:
        return True
    with _flock(path.with_name(EXCLUSIVE_LOCK_FILE)):
        if os.path.lexists(path):
            return False
        temporary.replace(path)
        return True


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
