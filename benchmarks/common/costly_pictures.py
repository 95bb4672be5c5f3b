"""Files that cost much for their size: the worst of each format, drawn without much work of ours."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG's pixel, by colour type
BLOCK_BYTES = 1 << 20
Draw = Callable[[int, int], bytes]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its length and CRC."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, interlaced: bool = False) -> bytes:
    """A PNG of zeros with Paeth's filter, the slowest; a palette has transparency."""
    row = b"\0" if interlaced else b"\4"
    row += bytes(-(-width * SAMPLES[colour] * depth // 8))
    rows = height
    if interlaced:  # seven passes: some more bytes than the rows have, which are left unread
        row, rows = bytes(len(row)), 2 * height
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    extra = b""
    if colour == 3:
        extra = png_chunk(b"PLTE", bytes(range(256)) * 3) + png_chunk(b"tRNS", bytes(range(256)))
    body = deflated(row, rows)
    return b"".join(
        [SIGNATURE, png_chunk(b"IHDR", head), extra, png_chunk(b"IDAT", body), png_chunk(b"IEND", b"")]
    )


def deflated(row: bytes, rows: int) -> bytes:
    """Zlib's form of many equal rows, of which only some are compressed and the rest repeats them."""
    together = min(max(BLOCK_BYTES // len(row), 1), rows)
    packer = zlib.compressobj(6, wbits=-15)
    block = packer.compress(row * together) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(6, wbits=-15)
    last = rest.compress(row * (rows % together)) + rest.flush()
    checksum, full = 1, row * together
    for _ in range(rows // together):
        checksum = zlib.adler32(full, checksum)
    checksum = zlib.adler32(row * (rows % together), checksum)
    return b"\x78\x9c" + block * (rows // together) + last + checksum.to_bytes(4, "big")


def saved(kind: str, mode: str, width: int, height: int, **options: object) -> bytes:
    """A picture of one colour, by Pillow."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height), 90 if mode in ("L", "I", "F", "I;16") else None).save(
        buffer, kind, **options
    )
    return buffer.getvalue()


def noise(kind: str, width: int, height: int, **options: object) -> bytes:
    """A picture of noise, one piece of it again and again."""
    piece = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    whole = np.tile(piece, (-(-height // 256), -(-width // 256), 1))[:height, :width]
    buffer = io.BytesIO()
    Image.fromarray(whole).save(buffer, kind, **options)
    return buffer.getvalue()


def many_scans(width: int, height: int, *, scans: int) -> bytes:
    """A progressive grey JPEG whose scans say nothing, again and again."""
    blocks = -(-width // 8) * -(-height // 8)
    runs = [32767] * (blocks // 32767) + [max(blocks % 32767, 16384)]
    bits = "".join("0" + format(run - 16384, "014b") for run in runs)
    bits += "1" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    scan = _segment(0xDA, b"\1\1\0\1\x3f\0") + body
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xDB, b"\0" + b"\1" * 64),
            _segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"),
            _segment(0xC4, b"\0\1" + bytes(15) + b"\0"),
            _segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0"),
            _segment(0xDA, b"\1\1\0\0\0\0"),
            bytes((blocks + 7) // 8),
            scan * scans,
            b"\xff\xd9",
        ]
    )


def _segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def runs(width: int, height: int) -> bytes:
    """A BMP whose rows end at once: Pillow fills each pixel by pixel."""
    body = (b"\1\0\0\0") * height + b"\0\1"
    palette = bytes(range(256)) * 4
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + palette + body


def raw_ppm(width: int, height: int, *, magic: bytes, most: int, sample_bytes: int) -> bytes:
    """A PPM of zeros as they are."""
    return b"%b %d %d %d\n" % (magic, width, height, most) + bytes(width * height * sample_bytes)


def plain_ppm(width: int, height: int) -> bytes:
    """A PPM of zeros as text."""
    return b"P3 %d %d 255\n" % (width, height) + b"0 " * (width * height * 3)


def tiff(
    width: int, height: int, *, rows: int, bits: int = 8, samples: int = 3, piece: bytes | None = None
) -> bytes:
    """A TIFF of strips that are all the same bytes; deflated with `piece`, else as they are."""
    strips = -(-height // rows)
    data = bytes(rows * width * samples * bits // 8) if piece is None else piece
    tags = {
        256: (4, width), 257: (4, height), 258: (3, bits), 259: (3, 1 if piece is None else 8),
        262: (3, 2 if samples == 3 else 1), 273: (4, strips), 277: (3, samples), 278: (4, rows),
        279: (4, strips),
    }  # fmt: skip
    table = 8 + 2 + 12 * len(tags) + 4
    offsets_at, lengths_at = table, table + 4 * strips
    start = lengths_at + 4 * strips
    places = {273: offsets_at, 279: lengths_at} if strips > 1 else {273: start, 279: len(data)}
    entries = [
        struct.pack("<HHII", tag, kind, strips if tag in places else 1, places.get(tag, value))
        for tag, (kind, value) in tags.items()
    ]
    arrays = struct.pack("<I", start) * strips + struct.pack("<I", len(data)) * strips
    return b"".join([b"II\x2a\0\x08\0\0\0", struct.pack("<H", len(tags)), *entries, bytes(4), arrays, data])


def deflated_tiff(width: int, height: int, *, bits: int = 8, samples: int = 3) -> bytes:
    """A TIFF of one deflated strip, which libtiff unpacks whole."""
    piece = deflated(bytes(width * samples * bits // 8), height)
    return tiff(width, height, rows=height, bits=bits, samples=samples, piece=piece)


COSTLY: dict[str, Draw] = {
    "JPEG, flat": partial(saved, "JPEG", "RGB", quality=90, subsampling=0),
    "JPEG, noise": partial(noise, "JPEG", quality=60, subsampling=0),
    "JPEG, CMYK": partial(saved, "JPEG", "CMYK", quality=90),
    "JPEG, progressive": partial(saved, "JPEG", "RGB", quality=90, subsampling=0, progressive=True),
    "JPEG, progressive noise": partial(noise, "JPEG", quality=60, subsampling=0, progressive=True),
    "JPEG, 20 scans": partial(many_scans, scans=20),
    "JPEG, 100 scans": partial(many_scans, scans=99),
    "PNG, RGB": png,
    "PNG, RGBA": partial(png, colour=6),
    "PNG, RGB of 16 bits": partial(png, depth=16),
    "PNG, RGBA of 16 bits": partial(png, depth=16, colour=6),
    "PNG, grey of 16 bits": partial(png, depth=16, colour=0),
    "PNG, grey and alpha": partial(png, colour=4),
    "PNG, palette with transparency": partial(png, colour=3),
    "PNG, interlaced": partial(png, interlaced=True),
    "PNG, one bit": partial(png, depth=1, colour=0),
    "WEBP, lossy": partial(saved, "WEBP", "RGB", method=0),
    "WEBP, lossy noise": partial(noise, "WEBP", method=0, quality=60),
    "WEBP, lossless": partial(saved, "WEBP", "RGBA", lossless=True, method=0, exact=True),
    "WEBP, lossless noise": partial(noise, "WEBP", lossless=True, method=0, quality=0),
    "GIF": partial(saved, "GIF", "L"),
    "BMP": partial(saved, "BMP", "RGB"),
    "BMP, runs": runs,
    "TIFF, one raw strip": lambda width, height: tiff(width, height, rows=height),
    "TIFF, a strip a row": partial(tiff, rows=1),
    "TIFF, deflated at once": deflated_tiff,
    "TIFF, deflated, 32 bits": partial(deflated_tiff, bits=32, samples=1),
    "TIFF, LZW": partial(saved, "TIFF", "RGB", compression="tiff_lzw"),
    "TIFF, fax": partial(saved, "TIFF", "1", compression="group4"),
    "TIFF, JPEG": partial(saved, "TIFF", "RGB", compression="jpeg"),
    "PPM": partial(raw_ppm, magic=b"P6", most=255, sample_bytes=3),
    "PPM, odd maximum": partial(raw_ppm, magic=b"P6", most=200, sample_bytes=3),
    "PGM of 16 bits": partial(raw_ppm, magic=b"P5", most=65535, sample_bytes=2),
    "PPM, text": plain_ppm,
}
