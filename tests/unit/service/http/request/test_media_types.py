import io

import pytest
from PIL import Image

from service.errors import UnreadMediaType
from service.http.request.media_types import Form, form_of
from service.http.request.signatures import START_BYTES, is_json_object, is_media_file, is_picture, is_shorn

MADE_UP = ["", "image/jpg", "Image/JPEG", "image/*", "img/jpeg", "jpeg", "binary/octet-stream", "text/plain"]
MADE_UP += ["application/x-www-form-urlencoded", "text/html; charset=utf-8", "application/json", "video/mp4"]
MADE_UP += ["multipart/form-data; boundary=x", "image/heic", "application/octet_stream", ";", "\xe9"]


def encoded(kind: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (9, 7)).save(buffer, kind)
    return buffer.getvalue()


PICTURES = {
    **{kind: encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")},
    "grey PPM": encoded("PPM", "L"),
    "black and white PPM": encoded("PPM", "1"),
    "palette BMP": encoded("BMP", "P"),
    "PPM with a comment at once": b"P6#c\n9 7 255\n" + bytes(189),
    "PFM": b"Pf\n9 7\n-1.0\n" + bytes(252),
    "PFM of three channels": b"PF\n9 7\n-1.0\n" + bytes(756),  # decoding refuses it by its name, as PAM
    "PAM": b"P7\nWIDTH 9\nHEIGHT 7\nDEPTH 1\nMAXVAL 255\nENDHDR\n" + bytes(63),
}


@pytest.mark.parametrize("content_type", MADE_UP)
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_is_one_whatever_its_content_type(kind: str, content_type: str) -> None:
    assert form_of(content_type, PICTURES[kind][:START_BYTES]) is Form.PICTURE


@pytest.mark.parametrize("content_type", ["application/json", "APPLICATION/JSON; charset=utf-8", "text/json"])
@pytest.mark.parametrize("start", [b"", b'{"images"', b"[", b"nonsense"])
def test_json_by_its_type(content_type: str, start: bytes) -> None:
    assert form_of(content_type, start) is Form.JSON
    assert form_of("application/vnd.x+json", start) is Form.JSON


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_json_by_its_content(content_type: str, encoding: str) -> None:
    assert form_of(content_type, ' \n{"images": []}'.strip().encode(encoding)) is Form.JSON


def test_multipart_by_its_type() -> None:
    assert form_of("Multipart/Form-Data; boundary=x", b"--x") is Form.MULTIPART


@pytest.mark.parametrize(
    "content_type", ["image/x-odd; q=1", "", "*/*", "application/octet-stream", "image/"]
)
@pytest.mark.parametrize("start", [b"", b"unknown bytes"])
def test_where_the_type_says_bytes_decoding_tells_more(content_type: str, start: bytes) -> None:
    assert form_of(content_type, start) is Form.PICTURE


def test_heic_is_left_for_decoding_to_name_whatever_its_type() -> None:
    assert form_of("text/plain", b"\0\0\0\x18ftypheic") is Form.PICTURE
    assert form_of("text/plain", b"data:image/png;base64,") is Form.PICTURE


@pytest.mark.parametrize(
    ("content_type", "message"),
    [
        ("image/heic", "HEIC is not read"),
        ("application/dicom", "DICOM is not read"),
        ("image/svg+xml", "SVG is not read"),
        ("application/x-www-form-urlencoded", "--data-binary @FILE"),
        ("application/x-www-form-urlencoded; charset=UTF-8", "-d and --data-urlencode change"),
        ("text/plain", "'text/plain' is not read, and the body does not begin as a picture"),
        ("text/html", "-H 'Content-Type: image/jpeg'"),
        ("multipart/mixed; boundary=x", "send multipart/form-data"),
    ],
)
def test_types_that_are_not_read_are_named(content_type: str, message: str) -> None:
    with pytest.raises(UnreadMediaType, match=message):
        form_of(content_type, b"unknown bytes")


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"BMW is a car",
        b"P.S.",
        b"P5 is a road",
        b"P7 is one too",
        b"Pf\nennig",
        b"PF-8",
        b"RIFF1234AVI ",
        b"GIF",
        b"II",
        b"\xff\xd8",
    ],
)
def test_what_only_looks_like_a_picture_is_none(start: bytes) -> None:
    assert not is_picture(start)
    assert not is_json_object(start)
    assert not is_media_file(start)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_what_curl_shears_is_told(kind: str) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, kind)
    whole = buffer.getvalue()

    assert len(whole) > 1000
    assert not is_shorn(whole)
    assert is_shorn(whole.translate(None, b"\0\r\n"))


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/json", "application/x-json", "text/x-json", "application/vnd.api+json"],
)
def test_every_name_of_json_is_known(content_type: str) -> None:
    assert form_of(content_type, b"[") is Form.JSON


def test_what_to_send_is_told_in_full() -> None:
    with pytest.raises(UnreadMediaType) as refused:
        form_of("application/x-www-form-urlencoded", b"unknown bytes")
    assert str(refused.value) == (
        "content type 'application/x-www-form-urlencoded' is not read, and the body does not begin as a "
        "picture; send a picture, multipart/form-data or application/json. With curl: --data-binary @FILE "
        "-H 'Content-Type: image/jpeg', or -F images=@FILE; -d and --data-urlencode change a picture's bytes"
    )


@pytest.mark.parametrize("kept", [b"\0", b"\r", b"\n"])
def test_one_of_the_bytes_that_curl_shears_is_enough(kept: bytes) -> None:
    assert not is_shorn(b"x" * 600 + kept)
    assert is_shorn(b"x" * 513)
    assert not is_shorn(b"x" * 512)  # too short to tell
