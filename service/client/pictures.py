"""Pictures as callers have them, and as they travel: several in a request, within the service's limits."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.client.errors import PictureRefused, Unreadable

Picture = bytes | os.PathLike[str]
"""The bytes of an encoded picture, or the path of its file."""


@dataclass(frozen=True)
class Limits:
    """What the service takes in one request; the defaults are its own, less what a form adds."""

    pictures: int = 64
    request_bytes: int = 63_000_000
    picture_bytes: int = 32_000_000


def read_picture(picture: Picture, limits: Limits) -> bytes:
    """The bytes of a picture.

    Raises Unreadable for a file that cannot be read, and PictureRefused for what is over the service's limit:
    such a file is not read.
    """
    if isinstance(picture, bytes):
        size = len(picture)
    elif isinstance(picture, os.PathLike):
        size = _size(picture)
    else:
        raise TypeError(
            f"a picture is its bytes or a path such as pathlib.Path, not {type(picture).__name__}"
        )
    if size > limits.picture_bytes:
        detail = f"the picture has {size} bytes, {limits.picture_bytes} are allowed"
        raise PictureRefused(413, "request_too_large", detail)
    if isinstance(picture, bytes):
        return picture
    try:
        with open(picture, "rb") as file:  # noqa: PTH123 -- any path, of bytes that are no text too
            return file.read(limits.picture_bytes + 1)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


def in_requests(pictures: Sequence[bytes], limits: Limits) -> Iterator[Sequence[bytes]]:
    """The pictures in order, in parts of which each is within the limits."""
    start = size = 0
    for index, picture in enumerate(pictures):
        if index > start and (index - start >= limits.pictures or size + len(picture) > limits.request_bytes):
            yield pictures[start:index]
            start, size = index, 0
        size += len(picture)
    if pictures:
        yield pictures[start:]


def _size(path: os.PathLike[str]) -> int:
    try:
        found = os.stat(path)  # noqa: PTH116 -- a PathLike need not be a Path
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for without end
        raise Unreadable("it is no file")
    return found.st_size
