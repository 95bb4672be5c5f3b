"""TIFF files of any byte order, compression, planes and samples, as their authors would store them."""

import struct
import zlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FORMATS = {"u": 1, "i": 2, "f": 3}
FORM_OF_KIND = {3: "H", 4: "I"}


@dataclass(frozen=True)
class Stored:
    """How values [height, width] or [height, width, samples] become a file."""

    order: Literal["<", ">"] = "<"
    photometric: int = 1
    deflated: bool = False
    planes: bool = False
    extra: tuple[int, ...] = ()
    rows: int = 1 << 16  # of a strip
    fill_order: int = 1
    tags: dict[int, list[int]] = field(default_factory=dict)  # more, or others

    def file(self, values: NDArray[np.generic]) -> bytes:
        """The whole file: header, strips, and the directory with what does not fit into it."""
        samples = values.reshape(*values.shape[:2], -1)
        body, places, lengths = self._body(samples.astype(samples.dtype.newbyteorder(self.order)))
        height, width, count = samples.shape
        tags = {
            256: [width], 257: [height], 258: [samples.itemsize * 8] * count,
            259: [8 if self.deflated else 1], 262: [self.photometric], 266: [self.fill_order],
            273: places, 277: [count], 278: [min(self.rows, height)], 279: lengths,
            284: [2 if self.planes else 1], 338: list(self.extra),
            339: [FORMATS[values.dtype.kind]] * count,
        } | self.tags  # fmt: skip
        mark = {"<": b"II\x2a\0", ">": b"MM\0\x2a"}[self.order]
        at = 8 + len(body)
        return mark + struct.pack(self.order + "I", at) + body + self._directory(tags, at)

    def _body(self, samples: NDArray[np.generic]) -> tuple[bytes, list[int], list[int]]:
        planes = [samples[:, :, index] for index in range(samples.shape[2])] if self.planes else [samples]
        strips = [
            self._strip(plane[top : top + self.rows].tobytes())
            for plane in planes
            for top in range(0, len(samples), self.rows)
        ]
        lengths = [len(strip) for strip in strips]
        places = [8 + sum(lengths[:index]) for index in range(len(lengths))]
        body = b"".join(strips)
        return body + bytes(len(body) % 2), places, lengths

    def _strip(self, rows: bytes) -> bytes:
        packed = zlib.compress(rows) if self.deflated else rows
        if self.fill_order == 1:
            return packed
        return np.packbits(np.unpackbits(np.frombuffer(packed, np.uint8)), bitorder="little").tobytes()

    def _directory(self, tags: dict[int, list[int]], at: int) -> bytes:
        given = {tag: values for tag, values in sorted(tags.items()) if values}
        beside_at = at + 2 + 12 * len(given) + 4
        table, beside = struct.pack(self.order + "H", len(given)), b""
        for tag, values in given.items():
            kind = 4 if tag in (256, 257, 273, 278, 279) else 3
            packed = struct.pack(f"{self.order}{len(values)}{FORM_OF_KIND[kind]}", *values)
            if len(packed) > 4:
                packed, beside = (
                    struct.pack(self.order + "I", beside_at + len(beside)),
                    beside + packed,
                )
            table += struct.pack(self.order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
        return table + bytes(4) + beside
