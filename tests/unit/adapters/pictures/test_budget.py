"""No picture takes more than its budget: any header of any format, and the worst of 64 million pixels."""

import json
import re
import struct
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.config import PreprocessConfig
from adapters.errors import PictureError, PictureTooLarge
from adapters.pictures.budget import Budget, Work
from adapters.pictures.preprocess import to_pixels
from benchmarks.common import costly_pictures as costly
from benchmarks.common.costly_pictures import COSTLY
from tests.support.pictures import encoded, gradient

MAX_BYTES = 400_000_000
SIDES = st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1), st.sampled_from([65_535, 65_536, 2**31]))


@st.composite
def pngs(draw: st.DrawFn) -> bytes:
    depth, colour = draw(st.sampled_from([1, 2, 4, 8, 16, 3])), draw(st.integers(0, 7))
    head = struct.pack(">IIBBBBB", draw(SIDES), draw(SIDES), depth, colour, 0, 0, draw(st.integers(0, 2)))
    extra = costly.png_chunk(b"PLTE", bytes(draw(st.integers(0, 800)))) * draw(st.integers(0, 2))
    extra += costly.png_chunk(b"tRNS", bytes(draw(st.integers(0, 300)))) * draw(st.integers(0, 2))
    body = costly.deflated(bytes(draw(st.integers(1, 400))), draw(st.integers(1, 60)))
    return costly.SIGNATURE + costly.png_chunk(b"IHDR", head) + extra + costly.png_chunk(b"IDAT", body)


@st.composite
def jpegs(draw: st.DrawFn) -> bytes:
    options = {"progressive": draw(st.booleans()), "subsampling": draw(st.integers(0, 2))}
    data = bytearray(encoded(gradient(draw(st.sampled_from(["L", "RGB", "CMYK"]))), "JPEG", **options))
    frame = re.search(rb"\xff[\xc0-\xc2]\0[\x0b\x11\x14]", data)
    assert frame
    side = st.integers(0, 65_535)
    data[frame.start() + 5 : frame.start() + 9] = struct.pack(">HH", draw(side), draw(side))
    data[frame.start() + 1] = draw(st.sampled_from([0xC0, 0xC1, 0xC2, 0xC9, 0xCA]))
    data[frame.start() + 11] = draw(st.integers(0, 255))  # sampling of the first component
    scan = data.index(b"\xff\xda")
    return bytes(data[:scan] + data[scan:-2] * draw(st.integers(1, 130)) + data[-2:])


@st.composite
def webps(draw: st.DrawFn) -> bytes:
    data = bytearray(encoded(gradient("RGBA"), "WEBP", lossless=draw(st.booleans()), exif=b"x"))
    at = data.index(b"VP8X") + 8
    data[at] = draw(st.integers(0, 255))
    data[at + 4 : at + 10] = draw(st.binary(min_size=6, max_size=6))
    return bytes(data)


@st.composite
def gifs(draw: st.DrawFn) -> bytes:
    data = bytearray(encoded(gradient("P"), "GIF", interlace=draw(st.booleans())))
    at = data.index(b",", 781)
    side = st.one_of(st.integers(0, 50), st.integers(0, 65_535))
    data[6:10] = struct.pack("<HH", draw(side), draw(side))
    data[at + 1 : at + 9] = struct.pack("<HHHH", *(draw(side) for _ in range(4)))
    return bytes(data)


@st.composite
def bmps(draw: st.DrawFn) -> bytes:
    signed = st.one_of(st.integers(-50, 50), st.integers(-(2**31), 2**31 - 1))
    bits, form = draw(st.sampled_from([1, 4, 8, 16, 24, 32, 7])), draw(st.integers(0, 5))
    head = struct.pack("<IiiHHIIiiII", 40, draw(signed), draw(signed), 1, bits, form, 0, 0, 0, draw(SIDES), 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, draw(SIDES)) + head + bytes(draw(st.integers(0, 5000)))


@st.composite
def tiffs(draw: st.DrawFn) -> bytes:
    number = st.one_of(st.integers(0, 40), SIDES)
    tags = {
        256: draw(number), 257: draw(number), 258: draw(st.sampled_from([1, 2, 4, 8, 12, 16, 32, 64])),
        259: draw(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 32773, 34925, 50000])),
        262: draw(st.integers(0, 9)), 273: draw(number), 277: draw(st.integers(0, 6)), 278: draw(number),
        279: draw(number), 317: draw(st.integers(0, 3)), 322: draw(number), 323: draw(number),
        324: draw(number), 325: draw(number), 339: draw(st.integers(0, 4)),
    }  # fmt: skip
    left_out = draw(st.sets(st.sampled_from(list(tags))))
    counts = st.one_of(st.just(1), st.integers(0, 2**32 - 1))
    entries = [
        struct.pack("<HHII", tag, draw(st.sampled_from([3, 4])), draw(counts), value)
        for tag, value in tags.items()
        if tag not in left_out
    ]
    return b"II\x2a\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4000)


@st.composite
def ppms(draw: st.DrawFn) -> bytes:
    magic, most = (
        draw(st.sampled_from(["P1", "P2", "P3", "P4", "P5", "P6", "Pf"])),
        draw(st.integers(0, 70_000)),
    )
    space = draw(st.sampled_from(["\n", " ", "# a\n", "\n" * 300]))
    return f"{magic}{space}{draw(SIDES)} {draw(SIDES)} {most}\n".encode() + b"1 " * draw(st.integers(0, 3000))


@settings(max_examples=600, deadline=None)
@given(data=st.one_of(pngs(), jpegs(), webps(), gifs(), bmps(), tiffs(), ppms()))
@example(data=b"")
def test_any_header_is_an_answer_or_a_picture_error(data: bytes) -> None:
    config, max_pixels = PreprocessConfig(), 1_000_000
    try:
        assert to_pixels(data, config, 32, max_pixels=max_pixels).shape == (3, 32, 32)
    except PictureError:
        return


# Name, width and height of what comes nearest to the bound of memory: of the pixels of one, of both where
# there is a second copy, and of the widest and the tallest.
WORST = [
    ("JPEG, progressive", 8000, 8000),
    ("PNG, RGBA", 880, 65_535),
    ("PNG, grey of 16 bits", 8000, 8000),
    ("PNG, palette with transparency", 65_535, 880),
    ("TIFF, a strip a row", 890, 65_535),
    ("TIFF, deflated at once", 7500, 7500),
    ("TIFF, deflated, 32 bits", 7000, 7000),
]
MEASURED = """
import json, re, sys
from pathlib import Path
from adapters.config import PreprocessConfig
from adapters.pictures.preprocess import to_pixels
from benchmarks.common.costly_pictures import COSTLY, saved

def held(field):
    return int(re.search(field + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

to_pixels(saved("PNG", "RGBA", 64, 64), PreprocessConfig(), 224)
for name, width, height in json.loads(sys.argv[1]):
    data = COSTLY[name](width, height)
    Path("/proc/self/clear_refs").write_text("5")
    before = held("VmRSS")
    to_pixels(data, PreprocessConfig(), 224)
    print(name, held("VmHWM") - before, sep=";", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_the_worst_pictures_stay_within_the_memory_of_their_budget() -> None:
    command = [sys.executable, "-c", MEASURED, json.dumps(WORST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert not done.returncode, done.stderr
    peaks = {name: int(peak) for name, peak in (line.split(";") for line in done.stdout.splitlines())}
    assert len(peaks) == len(WORST)
    assert {name: peak for name, peak in peaks.items() if peak > MAX_BYTES} == {}
    assert max(peaks.values()) > MAX_BYTES / 2  # or nothing was measured


def test_budgets_grow_with_the_pixels_that_are_allowed() -> None:
    assert (Budget().max_bytes, Budget().max_seconds) == (MAX_BYTES, 2.0)
    twice = Budget(128_000_000)
    twice.check_work(Work(2 * MAX_BYTES, 4.0), "a picture")
    with pytest.raises(PictureTooLarge, match="a picture takes 801 MB to decode; at most 800 MB"):
        twice.check_work(Work(2 * MAX_BYTES + 1e6, 1.0), "a picture")
    with pytest.raises(PictureTooLarge, match=r"a picture takes about 4\.1 s to decode; at most 4 s"):
        twice.check_work(Work(0, 4.1), "a picture")


@pytest.mark.parametrize("name", COSTLY)
def test_what_is_costly_when_large_is_answered_when_small(name: str) -> None:
    assert to_pixels(COSTLY[name](300, 200), PreprocessConfig(), 32).shape == (3, 32, 32)
