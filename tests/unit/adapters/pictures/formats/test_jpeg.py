"""JPEG: metadata is not the picture, scans are counted before decoding, and an end is not needed."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureError, PictureFormat, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from benchmarks.common.costly_pictures import many_scans
from tests.support.pictures import decoded, encoded

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (93, 131, 3), dtype=np.uint8))
BASELINE = encoded(NOISE, "JPEG", quality=90)
PROGRESSIVE = encoded(NOISE, "JPEG", quality=90, progressive=True)
RESTARTS = encoded(NOISE, "JPEG", quality=90, restart_marker_blocks=1)
EXIF = b"Exif\0\0II\x2a\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"


def pixels(data: bytes, image_size: int = 64, **options: int) -> Tensor:
    return to_pixels(data, PreprocessConfig(), image_size, **options)


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


@pytest.mark.parametrize(
    "segments",
    [
        [segment(0xE1, b"Exif\0\0garbage")],
        [segment(0xE1, b"Exif\0\0II\x2a\0\xff\xff\xff\xff")],
        [segment(0xE1, b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff" + b"\1\x12\0\3\0\0\0\1" + b"\0\x63\0\0")],
        [segment(0xE1, b"Exif\0\0II\x2a\0\x08\0\0\0\1\0\x12\1\2\0\1\0\0\0\6\0\0\0")],  # a text as orientation
        [segment(0xE0, b"JFIF")],
        [segment(0xE2, b"MPF\0garbage")],
        [segment(0xE2, b"ICC_PROFILE\0")],
        [segment(0xED, b"Photoshop 3.0\x008BIM")],
        [segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(65_000))] * 40,
        [segment(0xFE, b"a comment")] * 10_000,
        [segment(0xE1, BASELINE[:20_000])],  # a picture in metadata, with a frame and a scan of its own
        [b"\xff" * 100_000],
    ],
)
@pytest.mark.parametrize("data", [BASELINE, PROGRESSIVE])
def test_metadata_is_not_the_picture(segments: list[bytes], data: bytes) -> None:
    assert torch.equal(pixels(with_segments(data, *segments)), pixels(data))


@pytest.mark.parametrize("data", [BASELINE, PROGRESSIVE])
def test_stray_bytes_without_end_are_not_read(data: bytes) -> None:
    with pytest.raises(PictureDamaged, match="a JPEG without a frame"):
        pixels(data[:2] + b"\xff" * 2_000_000 + data[2:])


def test_fill_between_scans_without_end_is_not_read() -> None:
    last = PROGRESSIVE.rindex(b"\xff\xda")
    with pytest.raises(PictureTooLarge, match="fill bytes; at most 1048576 are read"):
        pixels(PROGRESSIVE[:last] + b"\xff" * 3_000_000 + PROGRESSIVE[last:])


def test_orientation_is_read_beside_what_cannot_be() -> None:
    turned = with_segments(BASELINE, segment(0xE1, b"Exif\0\0garbage"), segment(0xE1, EXIF))
    assert torch.equal(pixels(turned), pixels(BASELINE).transpose(1, 2).flip(2))


def test_segments_without_end_are_too_many() -> None:
    with pytest.raises(PictureTooLarge, match="segments; at most 20000 are read"):
        pixels(with_segments(BASELINE, segment(0xFE, b"") * 30_000))


@pytest.mark.parametrize("side", [64, 4000])
def test_scans_are_counted_before_decoding(side: int) -> None:
    with pytest.raises(PictureTooLarge, match="101 scans or more; at most 100 are read"):
        pixels(many_scans(side, side, scans=4000))
    assert pixels(many_scans(64, 64, scans=99)).shape == (3, 64, 64)


def test_scans_times_pixels_are_work() -> None:
    with pytest.raises(PictureTooLarge, match=r"takes about .* s to decode"):
        pixels(_colour_scans(), max_pixels=1024 * 1024)


def _colour_scans() -> bytes:
    """A progressive colour picture whose last scan comes forty times."""
    flat = encoded(Image.new("RGB", (1024, 1024), (9, 99, 199)), "JPEG", progressive=True, subsampling=0)
    last = flat.rindex(b"\xff\xda")
    return flat[:last] + flat[last:-2] * 88 + flat[-2:]


@pytest.mark.parametrize("hidden", [b"\xff\xd9", b"\xff\xda\0\x08\1\1\0\1\x3f\0"])
def test_metadata_between_scans_hides_and_adds_none(hidden: bytes) -> None:
    comment = segment(0xFE, hidden * 200)
    second = PROGRESSIVE.index(b"\xff\xda", PROGRESSIVE.index(b"\xff\xda") + 2)
    assert torch.equal(pixels(PROGRESSIVE[:second] + comment + PROGRESSIVE[second:]), pixels(PROGRESSIVE))
    many = many_scans(64, 64, scans=200)
    with pytest.raises(PictureTooLarge, match="scans"):
        pixels(many[: many.rindex(b"\xff\xda", 0, 400)] + comment + many[many.rindex(b"\xff\xda", 0, 400) :])


@pytest.mark.parametrize("data", [BASELINE, PROGRESSIVE])
def test_what_follows_the_end_does_not_count(data: bytes) -> None:
    assert torch.equal(pixels(data + b"\xff\xda\0\2" * 500 + bytes(1000)), pixels(data))


def test_progressive_coefficients_are_memory() -> None:
    flat = encoded(Image.new("RGB", (1000, 1000)), "JPEG", progressive=True, subsampling=0)
    assert pixels(flat, 32, max_pixels=1_000_000).shape == (3, 32, 32)
    with pytest.raises(PictureTooLarge, match="MB to decode"):
        pixels(flat, 500, max_pixels=1_000_000)  # nothing is left out, so the pixels come on top


@pytest.mark.parametrize("image_size", [8, 64])
@pytest.mark.parametrize("data", [BASELINE, PROGRESSIVE, RESTARTS])
@pytest.mark.parametrize("tail", [b"", b"\xff", bytes(8)])
def test_a_picture_without_an_end_marker_is_answered(data: bytes, tail: bytes, image_size: int) -> None:
    assert torch.equal(pixels(data[:-2] + tail, image_size), pixels(data, image_size))


LEFT = [0.999, 0.99, 0.9, 0.7, 0.5, 0.3]


@pytest.mark.parametrize("data", [BASELINE, PROGRESSIVE, RESTARTS])
@pytest.mark.parametrize("left", LEFT)
def test_a_picture_cut_in_its_pixels_is_refused(data: bytes, left: float) -> None:
    with pytest.raises(PictureDamaged):
        pixels(data[: int(len(data) * left)])


@pytest.mark.parametrize("image_size", [8, 64])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("left", [0.98, *LEFT[2:]])
def test_an_end_does_not_hide_that_a_picture_is_cut(left: float, mode: str, image_size: int) -> None:
    for restarts in (0, 1):
        data = encoded(NOISE.convert(mode), "JPEG", quality=90, restart_marker_blocks=restarts)
        with pytest.raises(PictureDamaged, match="cut within its pixels"):
            pixels(data[: int(len(data) * left)] + b"\xff\xd9", image_size)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 9), (16, 16), (17, 33), (131, 8)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_whole_picture_is_what_pillow_makes_of_it(mode: str, size: tuple[int, int]) -> None:
    for quality, subsampling, restarts in ((100, 0, 0), (60, 1, 2), (20, 2, 0)):
        data = encoded(
            NOISE.crop((0, 0, *size)).convert(mode),
            "JPEG",
            quality=quality,
            subsampling=subsampling,
            restart_marker_blocks=restarts,
        )
        expected = Image.open(io.BytesIO(data)).convert("RGB")
        for followed in (data, data + data, data + bytes(5000)):
            assert decoded(followed).tobytes() == expected.tobytes()


def test_one_row_of_blocks_that_is_cut_off_is_seen() -> None:
    flat = encoded(Image.new("L", (640, 640), 200), "JPEG")
    rows = 640 // 8
    with pytest.raises(PictureDamaged, match="cut within its pixels"):
        pixels(flat[: -2 - (len(flat) - flat.index(b"\xff\xda")) // rows] + b"\xff\xd9")


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_picture_whose_scans_are_missing_is_refused(end: bytes) -> None:
    starts = [at for at in range(len(PROGRESSIVE)) if PROGRESSIVE.startswith(b"\xff\xda", at)]
    for start in starts[1:]:
        with pytest.raises(PictureDamaged, match="scans are missing"):
            pixels(PROGRESSIVE[:start] + end)


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xCB])
def test_frames_that_no_browser_shows_are_named(marker: int) -> None:
    with pytest.raises(PictureFormat, match="SOF"):
        pixels(BASELINE.replace(b"\xff\xc0\0\x11", bytes([0xFF, marker]) + b"\0\x11"))


def test_twelve_bits_are_named() -> None:
    with pytest.raises(PictureFormat, match="3 components of 12 bits"):
        pixels(BASELINE.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"))


def test_every_place_to_cut_and_to_flip_is_a_picture_error_or_an_answer() -> None:
    random = np.random.default_rng(1)
    small = io.BytesIO()
    NOISE.resize((20, 20)).save(small, "JPEG", progressive=True)
    for cut in range(len(small.getvalue())):
        data = bytearray(small.getvalue()[:cut])
        if cut % 2 and data:
            data[int(random.integers(len(data)))] ^= 0xFF
        try:
            assert pixels(bytes(data), 16).shape == (3, 16, 16)
        except PictureError:
            continue
