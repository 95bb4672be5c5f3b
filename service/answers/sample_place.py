"""Where samples are kept: a folder, or a bucket by fsspec."""

import threading
from contextlib import AbstractContextManager
from typing import Protocol

from fsspec.core import url_to_fs

from adapters.errors import ConfigError
from adapters.store.files import BACKENDS, Location, as_location, open_files


class SamplePlace(Protocol):
    """As much of `adapters.store.files.Files` as samples need."""

    def files(self, folder: str) -> list[str]:
        """Names of the files in a folder, in no order; none where it is missing."""

    def put(self, key: str, data: bytes) -> None:
        """Write a file whole, or not at all. Raises OSError."""

    def lock(self, folder: str) -> AbstractContextManager[object]:
        """Hold a folder against other writers."""


class Bucket:
    """A place in an object store, named as fsspec names it (`s3://bucket/prefix`).

    Its lock holds among the threads of this process alone: no object store has one.
    """

    def __init__(self, url: str) -> None:
        """Raises ConfigError for a scheme that fsspec or a library of it does not know."""
        try:
            self._system, self._root = url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"{url!r}: {error}") from error
        self._locks: dict[str, threading.Lock] = {}

    def files(self, folder: str) -> list[str]:
        """As `SamplePlace.files`, of what is there now."""
        try:
            found: list[str] = self._system.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return [path.rpartition("/")[2] for path in found]

    def put(self, key: str, data: bytes) -> None:
        """As `SamplePlace.put`: one upload, which an object store shows whole."""
        self._system.pipe_file(f"{self._root}/{key}", data)

    def lock(self, folder: str) -> AbstractContextManager[object]:
        """As `SamplePlace.lock`."""
        return self._locks.setdefault(folder, threading.Lock())


def open_place(location: Location) -> SamplePlace:
    """A path, a URL that a store may have, or a bucket. Raises ConfigError."""
    location = as_location(location)
    if isinstance(location, str) and location.partition("://")[0].lower() not in BACKENDS:
        return Bucket(location)
    return open_files(location)
