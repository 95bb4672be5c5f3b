"""JPEG: segments to the first scan, scans where there are many, and pictures without an end marker."""

import hashlib
import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from adapters.errors import PictureDamaged, PictureFormat
from adapters.pictures.budget import Budget, Work, check_count
from adapters.pictures.formats.source import Source
from adapters.pictures.orientation import exif_orientation

SIGNATURE = b"\xff\xd8\xff"
END = b"\xff\xd9"
MODES = {1: ("L", "L"), 3: ("RGB", "RGB"), 4: ("CMYK", "CMYK;I")}  # Adobe's CMYK is inverted
READ_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
FRAMES = {0xC0, *range(0xC1, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xCA}
ARITHMETIC = {0xC9, 0xCA}
SCAN, APP1 = 0xDA, 0xE1
# The end, or a marker with a length after it: not stuffing, restarts or the start. A scan's data hold none.
SEGMENT_OR_END = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
MAX_SEGMENTS = 20_000
MAX_SCANS = 100
MAX_STRAY_BYTES = 1 << 20
COEFFICIENT_BYTES = 2
BLOCK = 64
NS_A_SAMPLE = 2.5
NS_A_BYTE = 9.0
NS_A_COEFFICIENT_SCAN = 0.1
NS_A_ARITHMETIC_BYTE = 60.0
# Follows data without an end, to see whether any of it is read as pixels: anything but a marker.
FILLER = bytes(each if each != 0xFF else 0 for each in hashlib.shake_128(b"dvpt").digest(4096))
# Follows a scan that ends, as libjpeg looks ahead: ones, as its last bits are, four bytes for a block.
PADDING = b"\xff\0" * 16
TELLING_BYTES = 8  # of a row: as many are not equal to noise by chance
BAND_ROWS = 256


@dataclass
class Header:
    """What the segments before the first scan say. `components` are (identifier, horizontal, vertical)."""

    frame: int = 0
    width: int = 0
    height: int = 0
    components: list[tuple[int, int, int]] = field(default_factory=list)
    orientation: int | None = None
    scan_at: int = 0
    scan_end: int = 0
    scan_components: int = 0

    @property
    def many_scans(self) -> bool:
        """Whether libjpeg keeps the coefficients of all of the picture."""
        return self.frame in PROGRESSIVE or self.scan_components < len(self.components)

    @property
    def coefficients(self) -> int:
        """Of all components, in whole blocks."""
        most_h = max(each[1] for each in self.components)
        most_v = max(each[2] for each in self.components)
        columns, rows = -(-self.width // (8 * most_h)), -(-self.height // (8 * most_v))
        return sum(columns * h * rows * v for _, h, v in self.components) * BLOCK


class _Jpeg(JpegImageFile):
    """Pillow's, with our reading of the header, that no metadata can spoil."""

    def __init__(self, data: bytes, header: Header) -> None:
        self._header = header
        super().__init__(io.BytesIO(data))

    def _open(self) -> None:
        self._size = (self._header.width, self._header.height)
        self._mode, raw_mode = MODES[len(self._header.components)]
        tile = ImageFile._Tile("jpeg", (0, 0, *self._size), 0, (raw_mode, ""))  # noqa: SLF001 - as its guide to plugins
        self.tile = [tile]


class _Endless(_Jpeg):
    """One whose data does not say where it ends: read only when its pixels do not depend on what follows."""

    def __init__(self, data: bytes, header: Header) -> None:
        self._data = data
        super().__init__(data, header)

    def load_prepare(self) -> None:
        if _digest(self._as_if(FILLER)) != _digest(self._as_if(b"")):
            raise PictureDamaged("the picture does not decode: it is cut within its pixels")
        self.fp = io.BytesIO(self._data + END)
        super().load_prepare()

    def _as_if(self, filler: bytes) -> Image.Image:
        picture = _Jpeg(self._data + filler + END, self._header)
        picture._size, picture.decoderconfig = self._size, self.decoderconfig  # noqa: SLF001 - drafted as this
        picture.tile = list(self.tile)
        return picture


class _Ended(_Jpeg):
    """One scan and an end, given to libjpeg when all rows are there: it would make up what is missing."""

    def __init__(self, data: bytes, header: Header, end: int) -> None:
        self._end, self._is_padded = end, False
        super().__init__(data, header)

    def load_prepare(self) -> None:
        super().load_prepare()
        self._last = (0, self.height - 1, self.width, self.height)
        count = self.width * len(self.getbands())
        self._unread = (FILLER * (count // len(FILLER) + 1))[:count]
        self.im.paste(Image.frombytes(self.mode, (self.width, 1), self._unread).im, self._last)

    def load_read(self, read_bytes: int) -> bytes:
        assert self.fp is not None  # noqa: S101 - while it is loaded
        left = self._end - self.fp.tell()
        if left > 0:
            return self.fp.read(min(read_bytes, left))
        if left == 0 and not self._is_padded:
            self._is_padded = True
            return PADDING
        if left == 0 and len(self._unread) >= TELLING_BYTES and self._last_row() == self._unread:
            raise PictureDamaged("the picture does not decode: it is cut within its pixels")
        return super().load_read(read_bytes)

    def _last_row(self) -> bytes:
        return self._new(self.im.crop(self._last)).tobytes()


def open_jpeg(data: bytes, budget: Budget) -> Source:
    """Raises PictureTooLarge, PictureFormat and PictureDamaged."""
    header = _read_header(data)
    budget.check_size(header.width, header.height)
    end = data.rfind(END, header.scan_at)
    ended = end >= 0
    picture = _Jpeg(data, header)
    held, passes = 0.0, 1.0
    seconds = header.coefficients * NS_A_SAMPLE + len(data) * NS_A_BYTE
    if header.many_scans:
        check_count(data.count(b"\xff\xff", header.scan_at), MAX_STRAY_BYTES, "fill bytes")
        levels = _Levels(header)
        for at in _scans(data, header):
            levels.add(data, at)
        check_count(levels.scans, MAX_SCANS, "scans")
        held += header.coefficients * COEFFICIENT_BYTES
        seconds += levels.scans * header.coefficients * NS_A_COEFFICIENT_SCAN
        if not levels.complete and (header.frame in PROGRESSIVE or not ended):
            raise PictureDamaged("the picture does not decode: it is cut, scans are missing")
    elif ended and header.frame not in ARITHMETIC:  # which cannot wait for bytes
        picture = _Ended(data, header, end)
    if header.frame in ARITHMETIC:
        seconds += len(data) * NS_A_ARITHMETIC_BYTE
    if not ended:
        picture, passes, held = _Endless(data, header), 3.0, held + 2 * len(data)
    return Source(picture, Work(held, passes * seconds / 1e9), header.orientation)


def _read_header(data: bytes) -> Header:
    header = Header()
    for count, (at, marker, length) in enumerate(_segments(data, 2, MAX_STRAY_BYTES)):
        if marker in FRAMES and not header.frame:
            _read_frame(header, marker, data[at : at + length])
        elif marker == APP1 and header.orientation is None and data.startswith(b"Exif\0\0", at):
            header.orientation = exif_orientation(data[at : at + length])
        elif marker == SCAN:
            header.scan_at, header.scan_end = at, at + length
            header.scan_components = data[at] if at < len(data) else 0
            break
        check_count(count, MAX_SEGMENTS, "segments")
    if not header.frame or not header.scan_at:
        raise PictureDamaged(f"a JPEG without {'pixels' if header.frame else 'a frame'}: {len(data)} bytes")
    return header


def _read_frame(header: Header, marker: int, body: bytes) -> None:
    if marker not in READ_FRAMES:
        raise PictureFormat(f"JPEG of kind SOF{marker - 0xC0} (lossless or hierarchical) is not read")
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise PictureDamaged("a JPEG whose frame header is cut")
    precision, header.height, header.width, count = struct.unpack_from(">BHHB", body)
    if precision != 8 or count not in MODES:
        raise PictureFormat(f"JPEG of {count} components of {precision} bits is not read")
    sampling = [(body[at], body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, 6 + 3 * count, 3)]
    if not header.width or not header.height or any(not h or not v for _, h, v in sampling):
        raise PictureDamaged(f"a JPEG of {header.width}x{header.height} pixels")
    header.frame, header.components = marker, sampling


def _segments(data: bytes, at: int, reach: int) -> Iterator[tuple[int, int, int]]:
    """(Where its body begins, marker, bytes of the body) of each segment, over `reach` other bytes."""
    while found := SEGMENT_OR_END.search(data, at, at + reach):
        at = found.end()
        marker = data[at - 1]
        if marker == END[1] or at + 2 > len(data):
            return
        length = max((data[at] << 8 | data[at + 1]) - 2, 0)
        yield at + 2, marker, length
        at += 2 + length


def _scans(data: bytes, header: Header) -> Iterator[int]:
    """Where the header of each scan begins; metadata between them is stepped over, and not searched."""
    yield header.scan_at
    for count, (at, marker, _) in enumerate(_segments(data, header.scan_end, len(data))):
        check_count(count, MAX_SEGMENTS, "segments")
        if marker == SCAN:
            yield at


class _Levels:
    """Which bits of which coefficients the scans have brought so far."""

    def __init__(self, header: Header) -> None:
        self.scans = 0
        self._missing = {each[0]: [True] * BLOCK for each in header.components}

    def add(self, data: bytes, at: int) -> None:
        self.scans += 1
        check_count(self.scans, MAX_SCANS, "scans or more")
        count = data[at] if at < len(data) else 0
        parameters = data[at + 1 + 2 * count : at + 4 + 2 * count]
        if len(parameters) < 3:
            return
        first, last, low_bit = parameters[0], min(parameters[1], BLOCK - 1), parameters[2] & 15
        for name in data[at + 1 : at + 1 + 2 * count : 2]:
            missing = self._missing.get(name, [])
            missing[first : last + 1] = [low_bit > 0] * len(missing[first : last + 1])

    @property
    def complete(self) -> bool:
        return not any(any(missing) for missing in self._missing.values())


def _digest(picture: Image.Image) -> bytes:
    picture.load()
    digest = hashlib.blake2b()
    for top in range(0, picture.height, BAND_ROWS):
        digest.update(picture.crop((0, top, picture.width, min(top + BAND_ROWS, picture.height))).tobytes())
    return digest.digest()
