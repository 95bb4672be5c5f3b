"""Bytes → a picture whose cost is known, by its first bytes; a reason for what is not read."""

import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image

from adapters.errors import PictureDamaged, PictureError, PictureFormat, PictureTooLarge
from adapters.pictures import budget as budgets
from adapters.pictures.budget import Budget, Work
from adapters.pictures.formats import bmp, gif, jpeg, png, ppm, tiff, webp
from adapters.pictures.formats.source import Source, pixel_bytes
from adapters.pictures.unread import unread_format

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = budgets.MAX_PIXELS
NS_A_CONVERTED_PIXEL = 8.0
# Width and height that a picture's pixels cover: the last column and row may count in part.
Extent = tuple[float, float]
Opener = Callable[[bytes, Budget], Source]
OPENERS: tuple[tuple[bytes | tuple[bytes, ...], Opener], ...] = (
    (jpeg.SIGNATURE, jpeg.open_jpeg),
    (png.SIGNATURE, png.open_png),
    (webp.SIGNATURE, webp.open_webp),
    (gif.SIGNATURES, gif.open_gif),
    (bmp.SIGNATURE, bmp.open_bmp),
    (tiff.SIGNATURES, tiff.open_tiff),
)


@dataclass(frozen=True)
class Opened:
    """A picture that can be loaded within its budget, and what its header says beside the pixels."""

    picture: Image.Image
    extent: Extent
    orientation: int | None


@contextmanager
def opened(data: bytes, max_pixels: int = MAX_PIXELS, least_px: int | None = None) -> Generator[Opened]:
    """A picture whose header has been read, and whose pixels are to be decoded inside of the context.

    Of an animation that is the first frame. With `least_px`, a JPEG is decoded smaller (docs/adr/0018),
    but not below as many pixels a side.

    Raises PictureFormat for a format that is not read, PictureTooLarge for more pixels than `max_pixels`
    or more work than they may cost, and PictureDamaged for bytes that do not decode.
    """
    try:
        budget = Budget(max_pixels)
        source = _opener(data)(data, budget)
        extent = _draft(source.picture, least_px)
        _check(source, budget)
        yield Opened(source.picture, extent, source.orientation)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(f"more than the {max_pixels} pixels that are read") from error
    except Exception as error:  # Pillow's decoders raise whatever their format's parser met
        raise PictureDamaged(f"the picture does not decode: {error}") from error


def silence_pillow() -> None:
    """Turn off Pillow's warnings of large pictures and odd metadata; `opened` answers for both.

    For a program's start: filters belong to the whole process, and changing them around every picture
    is not safe among threads.
    """
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _opener(data: bytes) -> Opener:
    for signatures, opener in OPENERS:
        if data.startswith(signatures) and (opener is not webp.open_webp or data[8:12] == webp.KIND):
            return opener
    if ppm.SIGNATURE.match(data):
        return ppm.open_ppm
    raise _unread(data)


def _draft(picture: Image.Image, least_px: int | None) -> Extent:
    """Let a JPEG's decoder leave out high frequencies while at least `least_px` a side are left."""
    drafted = None if least_px is None else picture.draft(None, (least_px, least_px))
    return picture.size if drafted is None else drafted[1][2:]


def _check(source: Source, budget: Budget) -> None:
    picture, pixels = source.picture, source.picture.width * source.picture.height
    converted_ns = 0.0 if picture.mode in ("L", "RGB") else NS_A_CONVERTED_PIXEL * pixels
    work = Work(
        source.work.held_bytes + pixels * pixel_bytes(picture.mode),
        source.work.seconds + converted_ns / 1e9,
    )
    budget.check_work(
        work, f"a {picture.format} of {picture.width}x{picture.height} pixels, mode {picture.mode},"
    )


def _unread(data: bytes) -> PictureFormat | PictureDamaged:
    if not data:
        return PictureDamaged("the picture is empty: 0 bytes")
    known = unread_format(data)
    return known or PictureDamaged(f"{len(data)} bytes that are no picture in any of {', '.join(FORMATS)}")
