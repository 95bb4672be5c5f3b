"""What a store needs of the place its files are in, and which places there are.

A backend is one file like local_files.py and one line in `BACKENDS`; tests/unit/adapters/store/test_files.py
holds it to the contract. Nothing above builds a path or asks what kind of place it is.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from adapters.errors import ConfigError
from adapters.store.local_files import LocalFiles

Location = Path | str
Stamp = tuple[str | int, ...]
Fingerprint = frozenset[tuple[str | int, ...]]


class Files(Protocol):
    """Files under `/`-separated keys, in folders that come with their first file and need not be there.

    Any number of processes use one place at once. Every method raises InvalidName for a key that `check_key`
    refuses (a folder may also be "", the whole place), and may raise OSError where the place cannot be
    reached. Names that begin with a dot are the backend's own (temporary files, locks) and never listed.
    Nothing is read or written through a link.
    """

    @property
    def url(self) -> str:
        """What `open_files` opens this place by, and messages call it."""

    def identity(self) -> Stamp:
        """What tells this place from another one that took its name (a mount, a swapped link).

        Raises OSError where nothing is.
        """

    def read(self, key: str) -> bytes:
        """The bytes of a file: those of one whole write, whoever writes meanwhile.

        Raises FileNotFoundError, and ArtifactDamaged for what is there and cannot be read.
        """

    def put(self, key: str, data: bytes) -> None:
        """Write a file whole, over the one there may be, or not at all; durable on return."""

    def put_exclusive(self, key: str, data: bytes) -> bool:
        """As `put`, but only where nothing is; False if something is. Of several at once one gets True."""

    def exists(self, key: str) -> bool:
        """Whether there is such a file. True after the `put` of any process, False after its `remove`."""

    def stamp(self, key: str) -> Stamp | None:
        """Size and times (or tag) of a file, another one once it was changed; None where there is none."""

    def remove(self, key: str) -> None:
        """Remove a file, durably on return; nothing happens where there is none."""

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders in a folder, in no order; none where it is missing."""

    def files(self, folder: str) -> list[str]:
        """Names of the files in a folder, in no order; none where it is missing."""

    def fingerprint(self, folder: str) -> Fingerprint:
        """Name, size and times (or tag) of each file in a folder: differs once one or its mode was changed.

        Costs no reading of the files; may miss a write of equal length within one tick of the clock. Empty
        where the folder is missing or cannot be looked at.
        """

    def age_s(self, folder: str) -> float:
        """Seconds since the last change of anything in a folder, 0 where it is missing."""

    def remove_temporaries(self, folder: str, older_than_s: float) -> None:
        """Remove what writes that were interrupted so long ago left in a folder."""

    def lock(self, folder: str) -> AbstractContextManager[None]:
        """Hold a folder, which may be missing, against every other `lock` of it in any process; waits for it.

        It is given back when the process ends, however that comes about. Nothing but `lock` heeds it.
        """


BACKENDS: dict[str, Callable[[str], Files]] = {
    "file": LocalFiles.from_url,
}


def open_files(location: Location) -> Files:
    """The files at a path or a URL (`file:///srv/store`). Raises ConfigError for another scheme."""
    location = as_location(location)
    if isinstance(location, Path):
        return LocalFiles(location)
    scheme = location.partition("://")[0].lower()
    if scheme not in BACKENDS:
        known = ", ".join(f"{name}://" for name in sorted(BACKENDS))
        raise ConfigError(f"{location!r}: no files are kept at {scheme}://; there are: a path, {known}")
    return BACKENDS[scheme](location)


def as_location(text: Location) -> Location:
    """A URL as it is, all else as a path; `Path` itself would take one of a URL's slashes."""
    return text if isinstance(text, str) and "://" in text else Path(text)
