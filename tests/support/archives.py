"""Tar archives for tests, also those that nobody should make."""

import io
import tarfile
from collections.abc import Callable, Mapping, Sequence


def tar_of(
    files: Mapping[str, bytes],
    *,
    prefix: str = "",
    folders: Sequence[str] = (),
    change: Callable[[tarfile.TarInfo], None] = lambda _: None,
    end: bool = True,
) -> bytes:
    """An archive with those files; without its `end` another one may follow."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in folders:
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
        for name, data in files.items():
            member = tarfile.TarInfo(f"{prefix}{name}")
            member.size = len(data)
            change(member)
            archive.addfile(member, io.BytesIO(data))
        length = archive.offset
    return made.getvalue() if end else made.getvalue()[:length]
