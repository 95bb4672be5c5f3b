import io

import httpx
import pytest

from adapters.errors import ArtifactError, ArtifactFormat, ArtifactTooLarge
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from service.errors import BadBody, UnreadMediaType
from service.http.request.artifact_body import check_media_type, read_artifact
from tests.support.archives import tar_of

FILES = {CONFIG_FILE: b"{}", TENSORS_FILE: bytes(range(256)) * 600, "README.md": b""}


def form(*files: tuple[str, str, bytes]) -> tuple[bytes, str]:
    made = httpx.Request("POST", "http://x", files=[(field, (name, data)) for field, name, data in files])
    return made.read(), made.headers["content-type"]


def read(data: bytes, content_type: str, max_bytes: int = 10**6) -> dict[str, bytes]:
    return read_artifact(io.BytesIO(data), content_type, max_bytes)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-tar",
        "application/gzip",
        "Application/X-Tar; x",
        "application/octet-stream",
        "",
        "*/*",
    ],
)
def test_an_archive_may_be_called_so(content_type: str) -> None:
    check_media_type(content_type, "")
    assert read(tar_of(FILES), content_type) == FILES


@pytest.mark.parametrize(
    ("content_type", "coding"),
    [("image/png", ""), ("application/json", ""), ("application/zip", ""), ("application/x-tar", "gzip")],
)
def test_what_is_not_read_is_told_before_it_comes(content_type: str, coding: str) -> None:
    with pytest.raises(UnreadMediaType):
        check_media_type(content_type, coding)


def test_each_part_is_a_file() -> None:
    assert read(*form(*(("files", name, data) for name, data in FILES.items()))) == FILES


def test_parts_that_are_not_an_artifact_s() -> None:
    for parts, match in (
        ([("files", "../x", b"")], "no file of an artifact"),
        ([("files", "", b"")], "no file of an artifact|malformed|called"),
        ([("files", "README.md", b"1"), ("files", "README.md", b"2")], "twice"),
        ([("file", "README.md", b"")], "call each one 'files'"),
        ([("files", f"{n}.png", b"") for n in range(65)], "more than 64"),
    ):
        with pytest.raises((ArtifactFormat, BadBody), match=match):
            read(*form(*parts))


def test_parts_are_counted_together() -> None:
    data, content_type = form(("files", "a.png", bytes(600)), ("files", "b.png", bytes(600)))
    assert read(data, content_type, 1200)
    with pytest.raises(ArtifactTooLarge):
        read(data, content_type, 1199)


def test_a_form_that_is_cut_off_or_none() -> None:
    data, content_type = form(("files", TENSORS_FILE, FILES[TENSORS_FILE]))
    for end in (0, 20, 1000, len(data) - 10):
        with pytest.raises((BadBody, ArtifactError), match=r"cut off|malformed"):
            read(data[:end], content_type)
    with pytest.raises(BadBody, match="no boundary"):
        read(data, "multipart/form-data")
