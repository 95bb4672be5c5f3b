"""Bytes → an RGB picture: every format and mode that is read, and a reason for what is not."""

import io
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
from PIL import Image, UnidentifiedImageError

from adapters.errors import PictureDamaged, PictureFormat, PictureTooLarge

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 64_000_000


@contextmanager
def opened(data: bytes, max_pixels: int) -> Generator[Image.Image]:
    """A picture whose header has been read, and whose pixels are to be decoded inside of the context.

    Of an animation that is the first frame.

    Raises PictureFormat for a format that is not read, PictureTooLarge beyond `max_pixels`, and
    PictureDamaged for bytes that do not decode.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > max_pixels:
                raise PictureTooLarge(
                    f"{picture.width}x{picture.height} pixels; at most {max_pixels} are read"
                )
            yield picture
    except PictureTooLarge:
        raise
    except UnidentifiedImageError as error:
        raise _not_identified(data) from error
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(f"more than the {max_pixels} pixels that are read") from error
    except Exception as error:  # Pillow's decoders raise whatever their format's parser met
        raise PictureDamaged(f"the picture does not decode: {error}") from error


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any Pillow mode → RGB, the picture itself where it is that already; decodes it.

    16-bit values are scaled, transparency is laid on white.
    """
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _deep_grey(picture)
    if picture.has_transparency_data:
        colours = picture.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        return Image.alpha_composite(white, colours).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def silence_pillow() -> None:
    """Turn off Pillow's warnings of large pictures and odd metadata; `opened` answers for both.

    For a program's start: filters belong to the whole process, and changing them around every picture
    is not safe among threads.
    """
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _deep_grey(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture, dtype=np.float64)
    top = 65535.0 if picture.mode != "F" else max(float(values.max(initial=0.0)), 1.0)
    return Image.fromarray(np.clip(values / top * 255.0, 0, 255).round().astype(np.uint8), "L")


def _not_identified(data: bytes) -> PictureFormat | PictureDamaged:
    """Name the formats that people do send, so that the answer says more than 'unknown'."""
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheif"):
        return PictureFormat("HEIC is not read; send JPEG, PNG or WebP")
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return PictureFormat("AVIF is not read; send JPEG, PNG or WebP")
    if data[128:132] == b"DICM":
        return PictureFormat("DICOM is not read; export the frame as PNG")
    if data[:5] == b"%PDF-":
        return PictureFormat("PDF is not read; send JPEG, PNG or WebP")
    if data[:256].lstrip()[:5].lower() in (b"<?xml", b"<svg ", b"<svg>"):
        return PictureFormat("SVG is not read; send JPEG, PNG or WebP")
    return PictureDamaged(f"{len(data)} bytes that are no picture in any of {', '.join(FORMATS)}")
