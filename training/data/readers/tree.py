"""A folder's pictures and sub-folders at every depth, and what is left out of them."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from training.data.remarks import Remark
from training.path_text import text_of

# Of the formats that adapters.pictures reads; the content decides which it is.
JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo")
OTHERS = (".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff")
SUFFIXES = frozenset(JPEG + OTHERS + (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"))
# First bytes of files without a suffix that are taken for pictures.
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
# What systems, archives, network storages and tools put beside files; so is all that begins with a dot.
SYSTEM = frozenset(
    {
        "__macosx", "__pycache__", "lost+found", "$recycle.bin", "system volume information", "@eadir",
        "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "network trash folder",
        "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r",
    }
)  # fmt: skip
# A folder that holds such files alone is no class whose pictures are not read.
TEXTS = frozenset(
    {
        ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".html",
        ".log", ".py", ".ipynb", ".mat",
    }
)  # fmt: skip
HIDDEN = "hidden or system files and folders"
NO_PICTURES = "files with another suffix than a picture's"
DANGLING = "links that lead nowhere"
LOOPS = "links that lead back to a folder they are in"
SPECIAL = "sockets, pipes and devices"
EMPTY = "empty folders"


@dataclass(frozen=True)
class Folder:
    """A folder's own pictures and its sub-folders, each in the order of their names' bytes.

    Of the sub-folders those are left out that hold neither pictures nor what could be some.
    """

    path: Path
    name: str
    pictures: tuple[Path, ...]
    folders: tuple["Folder", ...]

    def every_picture(self) -> list[Path]:
        """The pictures of the folder and of all below it, in order."""
        below = [path for folder in self.folders for path in folder.every_picture()]
        return sorted([*self.pictures, *below], key=by_bytes)

    def has_pictures(self) -> bool:
        """Whether there are any, at any depth."""
        return bool(self.pictures) or any(folder.has_pictures() for folder in self.folders)


@dataclass
class LeftOut:
    """Names of what is not read, by what it is."""

    root: Path
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, path: Path) -> None:
        """Count one more; a folder with how many files are in it."""
        name = self.name(path)
        if what != EMPTY and not path.is_symlink() and path.is_dir():
            name += f"/ ({sum(file.is_file() for file in path.rglob('*'))} files)"
        self.names.setdefault(what, []).append(name)

    def name(self, path: Path) -> str:
        """A path below the root, as text."""
        return text_of(path.relative_to(self.root).as_posix())

    def weighs(self) -> int:
        """How many of the names may have been meant as pictures."""
        passed = {HIDDEN, EMPTY}
        names = (name for what, names in self.names.items() if what not in passed for name in names)
        return sum(Path(name).suffix.lower() not in TEXTS for name in names)

    def remarks(self) -> tuple[Remark, ...]:
        """A remark for each kind that was met."""
        return tuple(Remark("left_out", what, tuple(names)) for what, names in self.names.items())


def scan(root: Path) -> tuple[Folder, LeftOut]:
    """The tree below a folder, links followed but for those that lead back. Raises OSError."""
    left_out = LeftOut(root)
    return _scan(root, left_out, ()), left_out


def by_bytes(path: Path) -> list[bytes]:
    """The order of paths, the same in every locale."""
    return [os.fsencode(part) for part in path.parts]


def _scan(path: Path, left_out: LeftOut, above: tuple[tuple[int, int], ...]) -> Folder:
    status = path.stat()
    above = (*above, (status.st_dev, status.st_ino))
    pictures, folders = [], []
    for found in sorted(path.iterdir(), key=by_bytes):
        reason = _reason(found, above)
        if reason:
            left_out.add(reason, found)
        elif found.is_dir():
            before = left_out.weighs()
            folder = _scan(found, left_out, above)
            if folder.has_pictures() or left_out.weighs() > before:
                folders.append(folder)
            elif not any(found.iterdir()):
                left_out.add(EMPTY, found)
        elif _is_picture(found):
            pictures.append(found)
        else:
            left_out.add(NO_PICTURES, found)
    return Folder(path, text_of(path.name), tuple(pictures), tuple(folders))


def _reason(path: Path, above: tuple[tuple[int, int], ...]) -> str | None:
    """Why a file or folder is left out, whatever is in it."""
    if path.name.startswith(".") or path.name.casefold() in SYSTEM:
        return HIDDEN
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return DANGLING
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself
            return LOOPS
        raise
    if (status.st_dev, status.st_ino) in above:
        return LOOPS
    return None if path.is_dir() or path.is_file() else SPECIAL


def _is_picture(path: Path) -> bool:
    if path.suffix:
        return path.suffix.lower() in SUFFIXES
    with path.open("rb") as file:
        head = file.read(16)
    return head.startswith(SIGNATURES) or (head[:4], head[8:12]) == (b"RIFF", b"WEBP")
