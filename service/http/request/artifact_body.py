"""An artifact in the body of a request: a tar archive, plain or by gzip, or a part for each file."""

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from adapters.errors import ArtifactFormat, ArtifactTooLarge
from adapters.store.artifact_folder import is_artifact_file
from adapters.store.artifact_tar import MOST_FILES, read_tar
from service.errors import BadBody, UnreadMediaType
from service.http.request.media_types import BYTES, media_type_of
from service.http.request.multipart import boundary_of

FORM_DATA = "multipart/form-data"
ARCHIVES = ("application/x-tar", "application/tar", "application/gzip", "application/x-gzip", *BYTES)
FIELD = "files"
PIECE_BYTES = 65_536


def check_media_type(content_type: str, coding: str) -> None:
    """Raise UnreadMediaType for what holds no artifact; what it is the bytes tell."""
    if coding.strip().lower() not in ("", "identity"):
        raise UnreadMediaType("a content coding is not read here; gzip the archive itself", "identity")
    if media_type_of(content_type) not in (FORM_DATA, *ARCHIVES):
        raise UnreadMediaType(
            f"{media_type_of(content_type)!r:.80} is no artifact; send "
            f"application/x-tar, application/gzip or {FORM_DATA}"
        )


def read_artifact(file: BinaryIO, content_type: str, max_bytes: int) -> dict[str, bytes]:
    """The files in a body. Raises BadBody, and what `read_tar` raises."""
    if media_type_of(content_type) != FORM_DATA:
        return read_tar(file, max_bytes)
    parser = PushMultipartParser(boundary_of(content_type), strict=True, header_charset="utf-8")
    try:
        found = dict(_parts(parser, file, max_bytes))
        parser.close()
    except MultipartError as error:
        raise BadBody(f"the multipart body is malformed or cut off: {error}") from error
    return found


def _parts(parser: PushMultipartParser, file: BinaryIO, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    names: list[str] = []
    content, left = bytearray(), max_bytes
    for piece in iter(partial(file.read, PIECE_BYTES), b""):
        for event in parser.parse(piece):
            if event is None:
                yield names[-1], bytes(content)
                content.clear()
            elif isinstance(event, MultipartSegment):
                names.append(_file_name(event, names))
            else:
                left -= len(event)
                if left < 0:
                    raise ArtifactTooLarge(f"the parts hold more than the {max_bytes} bytes allowed")
                content += event


def _file_name(part: MultipartSegment, before: list[str]) -> str:
    if part.name != FIELD:
        raise BadBody(f"a part is called {part.name!r:.80}; call each one {FIELD!r} and give its file name")
    name = part.filename or ""
    if not is_artifact_file(name):
        raise ArtifactFormat(f"{name!r:.100} is no file of an artifact")
    if name in before:
        raise ArtifactFormat(f"{name} is there twice")
    if len(before) == MOST_FILES:
        raise ArtifactFormat(f"there are more than {MOST_FILES} files")
    return name
