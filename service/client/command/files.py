"""The picture files below folders, one after the other: no list of them is ever made."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.client.errors import Unreadable

READ = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo", ".png", ".apng", ".webp",
        ".gif", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm",
    }
)  # fmt: skip
REFUSED_BY_NAME = frozenset({".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".dcm", ".svg", ".ico"})
"""Pictures that the service does not read: they are sent, so that the failures name them."""
SUFFIXES = READ | REFUSED_BY_NAME


@dataclass(frozen=True)
class Fault:
    """A folder that cannot be read."""

    path: Path
    error: Unreadable


@dataclass(frozen=True)
class _Folder:
    path: Path
    identity: tuple[int, int]
    entries: Any  # os.scandir's iterator, whose class has no public name


@dataclass
class Files:
    """The files below `roots`; a root that is a file is taken whatever its name.

    Folders are read as far as the iteration has come, in the system's order. `passed_over` counts files that
    are no pictures by their names, hidden ones among them; with `every` all are taken. The file `own`, and
    what lies beside it under a longer name, is what the run itself writes.
    """

    roots: Iterable[Path]
    every: bool = False
    own: Path | None = None
    found: int = 0
    passed_over: int = 0

    def __iter__(self) -> Iterator[Path | Fault]:
        for root in self.roots:
            if os.path.isdir(root):  # noqa: PTH112 -- Path.is_dir raises for a name that is too long
                yield from self._below(root)
            else:
                self.found += 1
                yield root

    def _below(self, root: Path) -> Iterator[Path | Fault]:
        above: list[_Folder] = []  # the folder that is being read is the last, in the one before it
        try:
            yield from _enter(root, above)
            while above:
                try:
                    entry = next(above[-1].entries, None)
                except OSError as error:
                    yield Fault(above[-1].path, Unreadable(error.strerror))
                    entry = None
                if entry is None:
                    above.pop().entries.close()
                elif _is_folder(entry):
                    if self.every or not entry.name.startswith("."):
                        yield from _enter(Path(entry.path), above)
                else:
                    yield from self._file(Path(entry.path))
        finally:
            for folder in above:
                folder.entries.close()

    def _file(self, path: Path) -> Iterator[Path]:
        if self._is_own(path):
            return
        if self._wanted(path):
            self.found += 1
            yield path
        else:
            self.passed_over += 1

    def _is_own(self, path: Path) -> bool:
        own = self.own
        return own is not None and path.name.startswith(own.name) and path.parent.samefile(own.parent)

    def _wanted(self, path: Path) -> bool:
        return self.every or (path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def _enter(path: Path, above: list[_Folder]) -> Iterator[Fault]:
    """Open a folder and put it last, unless it is one of those that it is in."""
    try:
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        if any(folder.identity == identity for folder in above):
            yield Fault(path, Unreadable("the link leads back to a folder that it is in"))
        else:
            above.append(_Folder(path, identity, os.scandir(path)))
    except OSError as error:
        yield Fault(path, Unreadable(error.strerror))


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reading it says so
        return False
