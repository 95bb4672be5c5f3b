"""An adapter outside a store: a tar archive of the artifact's files, plain or by gzip.

Nothing is unpacked to a disk. A member that is no plain file of an artifact refuses the whole archive, and
its bytes are counted as they come out of gzip.
"""

import gzip
import tarfile
import zlib
from typing import IO, BinaryIO, cast

from adapters.errors import ArtifactDamaged, ArtifactFormat, ArtifactTooLarge
from adapters.store.artifact_folder import is_artifact_file

MAX_ARTIFACT_BYTES = 256_000_000
"""By default; the largest heads come to about 200 MB."""
MOST_FILES = 64
GZIP_START = b"\x1f\x8b"
HOW = "pack the files themselves: tar -C DIR -cf FILE ."


def read_tar(file: BinaryIO, max_bytes: int = MAX_ARTIFACT_BYTES) -> dict[str, bytes]:
    """An artifact's files from an archive, which is read from where `file` stands.

    Raises ArtifactFormat, ArtifactDamaged for one that is cut off, and ArtifactTooLarge.
    """
    start = file.read(len(GZIP_START))
    file.seek(-len(start), 1)
    plain = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if start == GZIP_START else file
    try:
        limited = cast("BinaryIO", _Limited(plain, max_bytes))
        with tarfile.open(fileobj=limited, mode="r|") as archive:
            return _files(archive)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ArtifactDamaged(f"the archive is cut off or damaged: {error}") from error
    except tarfile.ReadError as error:
        what = "cut off" if "unexpected end" in str(error) else "no tar archive"
        raise ArtifactFormat(f"what should be an artifact is {what}: {error}; {HOW}") from error
    except (tarfile.TarError, ValueError, RecursionError, OverflowError) as error:
        raise ArtifactFormat(f"the archive cannot be read: {error}") from error


def _files(archive: tarfile.TarFile) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for member in archive:
        name = member.name.removeprefix("./")
        if member.isdir() and name in (".", ""):
            continue
        if not is_artifact_file(name):
            raise ArtifactFormat(f"the archive has {name[:100]!r}, which is no file of an artifact; {HOW}")
        if not member.isreg() or member.issparse():
            raise ArtifactFormat(f"{name} is no plain file in the archive")
        if name in found:
            raise ArtifactFormat(f"{name} is twice in the archive")
        if len(found) == MOST_FILES:
            raise ArtifactFormat(f"the archive has more than {MOST_FILES} files")
        content = cast("IO[bytes]", archive.extractfile(member)).read()
        if len(content) != member.size:
            raise ArtifactDamaged(f"the archive is cut off within {name}")
        found[name] = content
    return found


class _Limited:
    """Reads no more than so many bytes of a file."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._left = max_bytes

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises ArtifactTooLarge."""
        data = self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ArtifactTooLarge(f"the archive holds more than the {self._max_bytes} bytes allowed")
        return data
