from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadBody
from service.http.request.multipart import boundary_of, multipart_parts


def part(content: bytes, name: str = "images", filename: str | None = "x.png") -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def parse(body: bytes) -> list[bytes]:
    return multipart_parts(body, b"cut", field="images")


@given(st.lists(st.binary(max_size=200).filter(lambda data: b"--cut" not in data), max_size=5))
def test_parts_come_back_as_they_were(contents: list[bytes]) -> None:
    body = b"".join(part(content) for content in contents) + b"--cut--\r\n"

    assert parse(body) == contents


def test_a_part_without_a_file_name_counts_too() -> None:
    assert parse(part(b"abc", filename=None) + b"--cut--\r\n") == [b"abc"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (part(b"x", name="image") + b"--cut--\r\n", "part 0 is called 'image'; call each one 'images'"),
        (part(b"x"), "ends before its last boundary"),
        (part(b"x")[:-20], "ends before its last boundary"),
        (b"", "ends before its last boundary"),
        (b"--other\r\n\r\n", "malformed"),
        (b'--cut\r\nContent-Disposition: form-data; name="images"', "ends before"),
        (b"--cut\r\nContent-Type: image/png\r\n\r\nx\r\n--cut--\r\n", "Missing Content-Disposition"),
        (b"-" + part(b"x") + part(b"y") + b"--cut--\r\n", "malformed"),
        (part(b"x")[2:] + part(b"y") + b"--cut--\r\n", "does not begin with its boundary"),
    ],
)
def test_whatever_is_wrong_is_named(body: bytes, message: str) -> None:
    with pytest.raises(BadBody, match=message):
        parse(body)


def test_a_boundary_is_needed() -> None:
    with pytest.raises(BadBody, match="no boundary"):
        boundary_of("multipart/form-data")


def test_header_bytes_of_any_kind_are_no_matter() -> None:
    body = part(b"abc", filename="x").replace(b'"x"', b'"\xe9\xff.png"') + b"--cut--\r\n"

    assert parse(body) == [b"abc"]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=cut", "cut"),
        ('Multipart/Form-Data; charset=utf-8; BOUNDARY="a b/c"', "a b/c"),
        ("multipart/form-data; boundary=--=_Part/1; x=y", "--=_Part/1"),
        ("multipart/form-data; boundary=\xe9", "\xe9"),
    ],
)
def test_a_boundary_is_read_as_mail_has_it(content_type: str, boundary: str) -> None:
    assert boundary_of(content_type) == boundary.encode("latin-1")


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_boundary_gets_an_answer(text: str) -> None:
    with suppress(BadBody):
        multipart_parts(b"--x\r\n", boundary_of(f"multipart/form-data; boundary{text}"), field="images")


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    with suppress(BadBody):
        parse(body)
