"""What people send that is no picture we read is refused by its name."""

import struct

import pytest

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureFormat
from adapters.pictures.preprocess import to_pixels


def brands(major: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(body) + 4) + body + b"\0\0\0\x08mdat" + bytes(32)


HEIF = [b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"miaf"]
NAMED = [
    *((brands(brand), "HEIC") for brand in HEIF),
    (brands(b"mif1", b"mif1", b"heic"), "HEIC"),
    (brands(b"isom", b"iso8", b"heix"), "HEIC"),
    (brands(b"avif"), "AVIF"),
    (brands(b"avis", b"msf1"), "AVIF"),
    (brands(b"mif1", b"miaf", b"avif"), "AVIF"),
    (brands(b"jxl ", b"jxl "), "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL"),
    (b"\xff\x0a" + bytes(20), "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20), "JPEG 2000"),
    (b"\xff\x4f\xff\x51" + bytes(20), "JPEG 2000"),
    (b"8BPS\0\1" + bytes(20), "PSD"),
    (bytes(128) + b"DICM" + bytes(20), "DICOM"),
    (b"\n%PDF-1.7\n", "PDF"),
    (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    (b"\xef\xbb\xbf <svg viewBox='0 0 1 1'/>", "SVG"),
    (b"<!DOCTYPE html><html></html>", "HTML"),
    (b"<HTML><body>", "HTML"),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
    (b"PK\x03\x04" + bytes(20), "ZIP"),
    (brands(b"isom", b"mp41"), "MP4 video"),
    (brands(b"qt  "), "QuickTime video"),
    (b"\0\0\1\0\1\0\x10\x10" + bytes(20), "ICO"),
    (b"\x76\x2f\x31\x01" + bytes(20), "EXR"),
    (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
    (b"data:image/png;base64,iVBORw0KGgo", "Text of base64"),
    (b"/9j/4AAQSkZJRg", "Text of base64"),
]


@pytest.mark.parametrize(("data", "name"), NAMED)
def test_a_format_that_is_not_read_is_named(data: bytes, name: str) -> None:
    with pytest.raises(PictureFormat, match=f"^{name} is not read; "):
        to_pixels(data, PreprocessConfig(), 32)


def test_no_bytes_are_named_too() -> None:
    with pytest.raises(PictureDamaged, match="empty: 0 bytes"):
        to_pixels(b"", PreprocessConfig(), 32)
