"""Labelled pictures → pixels in memory, through the one preprocess that serving uses too."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureError
from adapters.pictures.preprocess import preprocess, to_pixels
from training.data.passes import each_picture
from training.data.room import check_room, pixel_bytes
from training.data.source import Picture, Split
from training.errors import DataUnusable

SHOWN = 20
RESIDENT_BYTES = 2 * 1024**3
CHUNK = 1000


@dataclass(frozen=True)
class Decoder:
    """How pictures become pixels in this run."""

    preprocess: PreprocessConfig
    image_size: int
    threads: int = 0

    def load(self, split: Split, title: str = "decoding") -> Tensor:
        """Pixels of a whole split [N, 3, H, W] uint8.

        Raises DataUnusable that lists the unreadable pictures by name, and OutOfMemory.
        """
        check_room(len(split), self.image_size)
        pixels = torch.empty(len(split), 3, self.image_size, self.image_size, dtype=torch.uint8)
        faults: list[str] = []
        for row, result in enumerate(each_picture(split, self._decode, title, self.threads)):
            if isinstance(result, str):
                faults.append(result)
            else:
                pixels[row] = result
        if faults:
            raise DataUnusable(listing(faults, len(split)))
        return pixels

    def check_room(self, trained: Split, evaluated: Split) -> None:
        """Raises OutOfMemory where the pixels that a run keeps of two splits do not fit."""
        beside = min(pixel_bytes(len(evaluated), self.image_size), RESIDENT_BYTES)
        check_room(len(trained), self.image_size, beside)

    def chunks(self, split: Split) -> Iterable[Tensor]:
        """Pixels in chunks [n, 3, H, W] that can be gone through again and again.

        Decoded now, so that unreadable pictures show early, if they fit in RESIDENT_BYTES; else each time.
        """
        if len(split) * 3 * self.image_size**2 <= RESIDENT_BYTES:
            return (self.load(split),)
        return Chunks(self, split)

    def _decode(self, name: str, picture: Picture) -> Tensor | str:
        try:
            return self.pixels(picture)
        except (PictureError, OSError) as error:
            return fault(name, error)

    def pixels(self, picture: Picture) -> Tensor:
        """Pixels of one picture [3, H, W] uint8. Raises PictureError and OSError."""
        if isinstance(picture, Image.Image):
            return preprocess(picture, self.preprocess, self.image_size)
        return to_pixels(picture.read_bytes(), self.preprocess, self.image_size)


@dataclass(frozen=True)
class Chunks:
    """A split too large for memory, decoded anew each time it is gone through."""

    decoder: Decoder
    split: Split

    def __iter__(self) -> Iterator[Tensor]:
        rows = range(len(self.split))
        for first in range(0, len(rows), CHUNK):
            yield self.decoder.load(self.split.rows(list(rows[first : first + CHUNK])))


def fault(name: str, error: Exception) -> str:
    """A picture's name, and why it is not read."""
    return f"{name}: {(error.strerror if isinstance(error, OSError) else None) or error}"


def listing(faults: list[str], total: int) -> str:
    """What is said of the pictures, of so many, that are not read."""
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return (
        f"{len(faults)} of {total} pictures cannot be read: {'; '.join(faults[:SHOWN])}{more} "
        "(--check lists those of all splits, --skip-damaged goes on without them)"
    )
