"""TIFF: the first directory with the picture's own tags, and no others."""

import struct
from dataclasses import dataclass

from PIL.TiffImagePlugin import COMPRESSION_INFO

from adapters.errors import PictureDamaged, PictureFormat
from adapters.pictures.budget import Budget, Work, check_count
from adapters.pictures.formats.source import Source
from adapters.pictures.formats.splice import spliced
from adapters.pictures.formats.tiff_form import YCBCR, Form, TiffPicture

SIGNATURES = (b"II\x2a\0", b"MM\0\x2a", b"II\0\x2a", b"MM\x2a\0", b"II\x2b\0", b"MM\0\x2b")
WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, ROWS = 256, 257, 258, 259, 277, 278
PLANAR, TILE_WIDTH, TILE_HEIGHT, ORIENTATION = 284, 322, 323, 274
OFFSETS = (273, 324)
LENGTHS = (279, 325)
COLOUR_MAP, JPEG_TABLES, PHOTOMETRIC, FILL_ORDER = 320, 347, 262, 266
EXTRA, SAMPLE_FORMAT, SUBSAMPLING = 338, 339, 530
# Everything that a decoder may ask for: the picture's form, fax, old JPEG, ink, predictor and YCbCr.
SMALL = (
    WIDTH,
    HEIGHT,
    BITS,
    COMPRESSION,
    PHOTOMETRIC,
    FILL_ORDER,
    SAMPLES,
    ROWS,
    PLANAR,
    292,
    293,
    317,
    332,
    EXTRA,
    SAMPLE_FORMAT,
)
SMALL += (TILE_WIDTH, TILE_HEIGHT, *range(512, 522), *range(529, 533))
MOST_SMALL = 16
MOST_VALUES = dict.fromkeys(SMALL, MOST_SMALL) | {COLOUR_MAP: 3 * 65_536, JPEG_TABLES: 65_536}
VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
FORMS = {1: "B", 3: "H", 4: "I", 16: "Q"}
MAX_TAGS = 65_535
MAX_PIECES = 65_536
RAW, LZW, FAX = 1, 5, (2, 3, 4)
OLD_JPEG = 6
JPEG = (OLD_JPEG, 7)
# ns a byte of unpacked rows. Others that Pillow could read are refused: they say nothing of what they take.
NS_A_BYTE = {RAW: 1.5, LZW: 6.0, 8: 5.0, 32946: 5.0, 32773: 2.0, 6: 5.0, 7: 5.0, 2: 60.0, 3: 60.0, 4: 60.0}
NS_A_PIXEL = 6.0
NS_A_PIECE = 12_000.0
NS_A_FILE_BYTE = 10.0
PIECE_BYTES = 700


@dataclass(frozen=True)
class _Entry:
    kind: int
    count: int
    field: bytes


class _Directory:
    """The first directory of a TIFF, as entries that have not been read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.order_mark = data[:2]
        self.order = "<" if self.order_mark == b"II" else ">"
        self.big = 43 in data[2:4]
        self._entry = struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))
        self._offset = self.order + ("Q" if self.big else "I")
        self.entries = self._read()

    def _read(self) -> dict[int, _Entry]:
        first, count = self._unpack("Q" if self.big else "I", 8 if self.big else 4), 0
        count = self._unpack("Q" if self.big else "H", first)
        check_count(count, MAX_TAGS, "tags")
        start = first + (8 if self.big else 2)
        table = self._data[start : start + count * self._entry.size]
        table = table[: len(table) // self._entry.size * self._entry.size]
        entries: dict[int, _Entry] = {}
        for tag, kind, values, field in self._entry.iter_unpack(table):
            entries.setdefault(tag, _Entry(kind, values, field))
        return entries

    def _unpack(self, form: str, at: int) -> int:
        value: int = self._unpack_all(form, self._data, at)[0]
        return value

    def _unpack_all(self, form: str, data: bytes, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + form, data, at)
        except struct.error as error:
            raise PictureDamaged(f"a TIFF whose directory is not in its {len(self._data)} bytes") from error

    def values(self, tag: int) -> tuple[int, ...]:
        """The first values of a tag of whole numbers."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in FORMS:
            return ()
        form = f"{min(entry.count, MOST_SMALL)}{FORMS[entry.kind]}"
        if entry.count * VALUE_BYTES[entry.kind] <= len(entry.field):
            return self._unpack_all(form, entry.field, 0)
        return self._unpack_all(form, self._data, struct.unpack(self._offset, entry.field)[0])

    def value(self, tag: int, default: int) -> int:
        """The first value of a tag of whole numbers."""
        return next(iter(self.values(tag)), default)

    def count(self, tags: tuple[int, ...]) -> int:
        """Most values of any of these tags."""
        return max((self.entries[tag].count for tag in tags if tag in self.entries), default=0)

    def head_and_tail(self) -> tuple[bytes, bytes]:
        """Header and directory of the picture's own tags, to stand before and after the rest of the file."""
        kept = {tag: entry for tag, entry in sorted(self.entries.items()) if self._is_kept(tag, entry)}
        padding = bytes(len(self._data) % 2)
        version = (43, 8, 0) if self.big else (42,)
        head = struct.pack(f"{self.order}{len(version)}H", *version)
        head += struct.pack(self._offset, len(self._data) + len(padding))
        count = struct.pack(self.order + ("Q" if self.big else "H"), len(kept))
        table = [self._entry.pack(tag, each.kind, each.count, each.field) for tag, each in kept.items()]
        return self._data[:2] + head, b"".join([padding, count, *table, bytes(8)])

    def _is_kept(self, tag: int, entry: _Entry) -> bool:
        if tag in OFFSETS or tag in LENGTHS:
            check_count(entry.count, MAX_PIECES, "strips or tiles")
            return True
        if tag not in MOST_VALUES:
            return False
        if tag == PLANAR and self.value(SAMPLES, 1) == 1:
            return False  # says nothing then, and Pillow would read by the first letter of its mode
        check_count(entry.count, MOST_VALUES[tag], f"values of tag {tag}")
        return True


def open_tiff(data: bytes, budget: Budget) -> Source:
    """Raises PictureTooLarge, PictureFormat and PictureDamaged, and what Pillow raises."""
    directory = _Directory(data)
    width, height = directory.value(WIDTH, 0), directory.value(HEIGHT, 0)
    budget.check_size(width, height)
    compression = directory.value(COMPRESSION, RAW)
    if compression not in NS_A_BYTE:
        name = COMPRESSION_INFO.get(compression, str(compression))
        raise PictureFormat(f"TIFF compressed by {name} is not read; send it with LZW or deflate, or as PNG")
    head, tail = directory.head_and_tail()
    native = _form(directory, compression).native()
    by_libtiff = native is not None or compression != RAW
    work = _work(directory, width, height, compression, len(data) if by_libtiff else 0)
    budget.check_work(work, f"a TIFF of {width}x{height} pixels")
    if compression in JPEG:
        check_count(data.count(b"\xff\xda"), directory.count(OFFSETS) * 100, "JPEG scans")
    orientation = directory.value(ORIENTATION, 1)
    picture = TiffPicture(spliced(head, data, len(head), len(data), tail), native)
    return Source(picture, work, orientation if 1 <= orientation <= 8 else None)


def _form(directory: _Directory, compression: int) -> Form:
    old_jpeg = compression == OLD_JPEG  # which Pillow takes for YCbCr, whatever the tags say
    photometric = YCBCR if old_jpeg else directory.value(PHOTOMETRIC, 0)
    samples = directory.value(SAMPLES, 3 if old_jpeg else 1)
    if not 0 < samples <= MOST_SMALL:
        raise PictureFormat(f"TIFF of {samples} samples a pixel is not read")
    bits = directory.values(BITS) or (1,)
    bits = bits * samples if len(bits) == 1 else bits[:samples]
    extra = directory.values(EXTRA)
    planes = samples > 1 and directory.value(PLANAR, 1) == 2
    dropped = planes and bool(extra) and not any(extra) and len(extra) < len(bits)
    return Form(
        order=directory.order_mark,
        compressed=compression != RAW,
        photometric=photometric,
        fill_order=directory.value(FILL_ORDER, 1),
        formats=tuple(sorted(set(directory.values(SAMPLE_FORMAT)))) or (1,),
        bits=bits[: -len(extra)] if dropped else bits,
        extra=() if dropped else extra,
        planes=planes,
        dropped=dropped,
        subsampled=directory.values(SUBSAMPLING) != (1, 1),
    )


def _work(directory: _Directory, width: int, height: int, compression: int, unpacked_from: int) -> Work:
    """Strips and tiles that libtiff unpacks, from so many bytes, are unpacked whole, beside the picture."""
    bits = directory.value(BITS, 1) * directory.value(SAMPLES, 1)
    pieces = directory.count(OFFSETS)
    rows = min(directory.value(ROWS, height), height)
    piece_pixels = rows * width
    if OFFSETS[1] in directory.entries:
        piece_pixels = directory.value(TILE_WIDTH, width) * directory.value(TILE_HEIGHT, height)
    held: float = pieces * PIECE_BYTES
    if unpacked_from:
        wide = 32 if directory.value(PHOTOMETRIC, 0) == YCBCR else 0
        coefficients = 2 * bits if compression in JPEG else 0  # of a progressive one: two bytes for each
        held += unpacked_from + piece_pixels * (bits + wide + coefficients) / 8
    unpacked_bytes = max(width * height, pieces and piece_pixels) * bits / 8
    ns = (
        unpacked_bytes * NS_A_BYTE[compression]
        + width * height * NS_A_PIXEL
        + pieces * NS_A_PIECE
        + unpacked_from * NS_A_FILE_BYTE
    )
    return Work(held, ns / 1e9)
