from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multipart import MultipartSegment, PushMultipartParser

from service.errors import BadBody, RequestTooLarge
from service.http.request.multipart import boundary_of, multipart_pictures

MAX_PICTURES = 5


def part(content: bytes, name: str = "images", filename: str | None = "x.png", *headers: str) -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"{file}\r\n'
    head += "".join(f"{header}\r\n" for header in headers) + "\r\n"
    return head.encode() + content + b"\r\n"


def parse(body: bytes) -> list[bytes]:
    return multipart_pictures(body, b"cut", MAX_PICTURES)


CONTENTS = st.binary(max_size=200).filter(lambda data: b"--cut" not in data and data[:5].lower() != b"data:")


@given(st.lists(CONTENTS, max_size=MAX_PICTURES))
def test_parts_come_back_as_they_were(contents: list[bytes]) -> None:
    body = b"".join(part(content) for content in contents) + b"--cut--\r\n"

    assert parse(body) == contents


def test_a_part_without_a_file_name_counts_too() -> None:
    assert parse(part(b"abc", filename=None) + b"--cut--\r\n") == [b"abc"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            part(b"x", name="m" * 150) + b"--cut--\r\n",
            f"^part 0 is called '{'m' * 100}'; call each one 'images' "
            r"\(or image, files, file, pictures, picture\)$",
        ),
        (part(b"x", name="") + b"--cut--\r\n", "^part 0 is called ''; "),
        (part(b"x") + part(b"3", name="top_k", filename=None) + b"--cut--\r\n", "part 1 is called 'top_k'"),
        (part(b"x", name="images[1]") + b"--cut--\r\n", "must be 0, 1, … in order"),
        (
            part(b"x", "images", None, "Content-Transfer-Encoding: base64") + b"--cut--\r\n",
            "part 0 is not base64",
        ),
        (
            part(b"x", "images", None, "Content-Transfer-Encoding: quoted-printable") + b"--cut--\r\n",
            "part 0 has the transfer coding 'quoted-printable'; binary and base64 are read",
        ),
        (part(b"x", "images", "n" * 5000) + b"--cut--\r\n", "header length exceeded"),
        (part(b"x", "images", None, *["X: y"] * 9) + b"--cut--\r\n", "header count exceeded"),
        (part(b"x", "images", None, "Content-Length: 2") + b"--cut--\r\n", "does not match Content-Length"),
        (part(b"x"), "^the multipart body ends before its last boundary$"),
        (part(b"x")[:-20], "ends before its last boundary"),
        (b"", "ends before its last boundary"),
        (b"--other\r\n\r\n", "malformed"),
        (b'--cut\r\nContent-Disposition: form-data; name="images"', "ends before"),
        (b"--cut\r\nContent-Type: image/png\r\n\r\nx\r\n--cut--\r\n", "Missing Content-Disposition"),
        (b"-" + part(b"x") + part(b"y") + b"--cut--\r\n", "malformed"),
        (
            part(b"x")[2:] + part(b"y") + b"--cut--\r\n",
            "^the multipart body is malformed: it does not begin with its boundary$",
        ),
    ],
)
def test_whatever_is_wrong_is_named(body: bytes, message: str) -> None:
    with pytest.raises(BadBody, match=message):
        parse(body)


def test_empty_lines_before_the_first_boundary_are_a_preamble() -> None:
    assert parse(b"\r\n" + part(b"x") + b"--cut--\r\n") == [b"x"]


def test_a_boundary_is_needed() -> None:
    with pytest.raises(BadBody) as refused:
        boundary_of("multipart/form-data")
    assert str(refused.value) == (
        "the multipart content type has no boundary; leave the header to the library that makes the form"
    )


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


def test_a_boundary_of_other_letters_matches_no_body() -> None:
    assert boundary_of("multipart/form-data; boundary*=utf-8''%E2%82%AC") == b"?"


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_boundary_gets_an_answer(text: str) -> None:
    with suppress(BadBody):
        multipart_pictures(b"--x\r\n", boundary_of(f"multipart/form-data; boundary{text}"), 1)


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    with suppress(BadBody):
        parse(body)


@pytest.mark.parametrize("name", ["image", "file", "files", "images[]", "file[]", "pictures", "picture"])
def test_the_names_that_clients_use_are_read(name: str) -> None:
    assert parse(part(b"x", name) + part(b"y", name) + b"--cut--\r\n") == [b"x", b"y"]


def test_numbered_names_are_read_in_order() -> None:
    parts = [part(str(n).encode(), f"images[{n}]") for n in range(3)]

    assert parse(b"".join(parts) + b"--cut--\r\n") == [b"0", b"1", b"2"]
    with pytest.raises(BadBody, match=r"part 0 is called 'images\[2\]'"):
        parse(b"".join(reversed(parts)) + b"--cut--\r\n")


@pytest.mark.parametrize("coding", ["base64", " Base64 "])
def test_a_part_in_base64_is_read(coding: str) -> None:
    body = part(b"b25l\r\n", "images", "x", f"Content-Transfer-Encoding: {coding}") + part(b"two")

    assert parse(body + b"--cut--\r\n") == [b"one", b"two"]


@pytest.mark.parametrize("coding", ["binary", "8bit", "7BIT"])
def test_a_part_in_no_coding_is_left_as_it_is(coding: str) -> None:
    body = part(b"b25l", "images", "x", f"Content-Transfer-Encoding: {coding}") + b"--cut--\r\n"

    assert parse(body) == [b"b25l"]


def test_a_part_may_be_a_data_url() -> None:
    assert parse(part(b"data:image/png;base64,b25l", filename=None) + b"--cut--\r\n") == [b"one"]


def test_parts_without_end_stop_at_the_first_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = 0
    create = PushMultipartParser._create_segment

    def count(parser: PushMultipartParser, headers: list[tuple[str, str]]) -> MultipartSegment:
        nonlocal heads
        heads += 1
        return create(parser, headers)

    monkeypatch.setattr(PushMultipartParser, "_create_segment", count)
    with pytest.raises(RequestTooLarge, match="more parts than the 5 pictures"):
        parse(part(b"") * 100_000 + b"--cut--\r\n")
    assert heads == MAX_PICTURES + 1
