"""PPM: what Pillow reads in Python is bounded by what that takes."""

import struct

import pytest

from adapters.config import PreprocessConfig
from adapters.errors import PictureFormat, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from benchmarks.common.costly_pictures import plain_ppm, raw_ppm
from tests.support.pictures import decoded


def first(data: bytes) -> object:
    return decoded(data).getpixel((0, 0))


@pytest.mark.parametrize(
    ("data", "pixel"),
    [
        (b"P1 2 1 1 0", (0, 0, 0)),
        (b"P2 1 1 200 100", (128, 128, 128)),
        (b"P3\n# a comment\n1 1\n255\n1 2 3", (1, 2, 3)),
        (b"P4 8 1\n\xff", (0, 0, 0)),
        (b"P5 1 1 255\n\x07", (7, 7, 7)),
        (b"P6 1 1 51\n\x01\x02\x03", (5, 10, 15)),
        (b"P6#a comment\n1 1 255\n\x01\x02\x03", (1, 2, 3)),
        (b"P5#\n#\n1 1 255\n\x07", (7, 7, 7)),
        (b"Pf\n2 1\n-1.0\n" + struct.pack("<2f", 1.0, 2.0), (128, 128, 128)),
        (b"Pf#a comment\n2 1\n1.0\n" + struct.pack(">2f", 1.0, 2.0), (128, 128, 128)),
    ],
)
def test_every_kind_is_read(data: bytes, pixel: tuple[int, int, int]) -> None:
    assert first(data) == pixel


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"P3 7000 7000 255\n" + b"0 " * 100, "1990 MB to decode"),
        (b"P3 1600 1600 255\n" + b"0 " * 100, "s to decode; at most 2 s"),
        (raw_ppm(1800, 1800, magic=b"P6", most=200, sample_bytes=3), "s to decode; at most 2 s"),
        (b"P1 9000 9000 1", "81000000|9000x9000 pixels"),
        (b"P3 9 9 255\n" + b"#\n" * 2_000 + b"0 " * 243, "2000 comments; at most 1000"),
        (b"P6 # " + b"x" * 1_000_000 + b"\n9 9 255\n" + bytes(243), "header of more than 65536 bytes"),
        (b"P6 99999999 1 255\n" + bytes(9), "99999999x1 pixels"),
    ],
)
def test_what_would_take_long_is_refused(data: bytes, refusal: str) -> None:
    with pytest.raises(PictureTooLarge, match=refusal):
        to_pixels(data, PreprocessConfig(), 32)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"PF\n2 1\n-1.0\n" + bytes(24), "PFM of three channels"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n\1\2\3", "PAM"),
    ],
)
def test_kinds_that_are_not_read_are_named(data: bytes, name: str) -> None:
    with pytest.raises(PictureFormat, match=f"^{name} is not read; send "):
        decoded(data)


def test_text_within_the_budget_is_read() -> None:
    assert (to_pixels(plain_ppm(300, 200), PreprocessConfig(), 32) == 0).all()
