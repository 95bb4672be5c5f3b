"""EXIF orientation, the one thing that is taken from metadata; what cannot be read has none."""

import struct

ORIENTATION = 0x0112
SHORT = 3
ENTRY_BYTES = 12


def exif_orientation(exif: bytes | memoryview) -> int | None:
    """EXIF, which is a TIFF, with or without its `Exif` head → 1 to 8, or None."""
    data = bytes(exif)
    while data.startswith(b"Exif\0\0"):
        data = data[6:]
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return None
    first: int = struct.unpack_from(order + "I", data, 4)[0]
    if first + 2 > len(data):
        return None
    count: int = struct.unpack_from(order + "H", data, first)[0]
    entries = data[first + 2 : first + 2 + count * ENTRY_BYTES]
    whole = entries[: len(entries) // ENTRY_BYTES * ENTRY_BYTES]
    for tag, kind, values, value in struct.iter_unpack(order + "HHIHxx", whole):
        if tag == ORIENTATION:
            return value if kind == SHORT and values == 1 and 1 <= value <= 8 else None
    return None
