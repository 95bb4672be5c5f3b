"""A picture whose header has been read."""

from dataclasses import dataclass

from PIL import ImageFile

from adapters.pictures.budget import Work

# Bytes of a pixel in Pillow's memory; every mode that is not named has four.
SMALL_MODES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}


@dataclass(frozen=True)
class Source:
    """A picture that Pillow will decode when it is loaded, and what is known of it before.

    `work` counts what decoding takes without the decoded pixels; `orientation` is EXIF's, of 1 to 8.
    """

    picture: ImageFile.ImageFile
    work: Work
    orientation: int | None = None


def pixel_bytes(mode: str) -> int:
    """Bytes that Pillow holds for a pixel."""
    return SMALL_MODES.get(mode, 4)
