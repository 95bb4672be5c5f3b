"""The one transform from a decoded picture to the backbone's pixels, for training and serving alike."""

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureFormat, PictureTooLarge

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 64_000_000
RESIZE_GAP = 2
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, least_px: int = 0) -> Image.Image:
    """Bytes → upright RGB picture; of an animation, the first frame.

    One far larger than `least_px` a side comes smaller, but never smaller than that: a JPEG is decoded at a
    half, a quarter or an eighth of its size, and blocks of pixels are averaged. Resizing would average them
    anyway.

    Raises PictureFormat for a format that is not read, PictureTooLarge beyond `max_pixels`, and
    PictureDamaged for bytes that do not decode.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > max_pixels:
                raise PictureTooLarge(
                    f"{picture.width}x{picture.height} pixels; at most {max_pixels} are read"
                )
            if not least_px:
                return to_rgb(picture)
            return _reduced(to_rgb(_drafted(picture, least_px)), least_px)
    except PictureTooLarge:
        raise
    except UnidentifiedImageError as error:
        raise _not_identified(data) from error
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(f"more than the {max_pixels} pixels that are read") from error
    except Exception as error:  # Pillow's decoders raise whatever their format's parser met
        raise PictureDamaged(f"the picture does not decode: {error}") from error


def silence_pillow() -> None:
    """Turn off Pillow's warnings of large pictures and odd metadata; `decode` answers for both.

    For a program's start: filters belong to the whole process, and changing them around every picture
    is not safe among threads.
    """
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def least_px(config: PreprocessConfig, image_size: int) -> int:
    """How many pixels a side a decoded picture needs, so that resizing it is as good as from the whole."""
    short = image_size if config.fit == "squash" else round(image_size * config.resize_ratio)
    return RESIZE_GAP * short


def read_picture(path: Path, least_px: int = 0) -> Image.Image:
    """Decode a picture file, for training; its errors name the file."""
    try:
        return decode(path.read_bytes(), least_px=least_px)
    except PictureDamaged as error:
        raise PictureDamaged(f"{path}: {error}") from error
    except PictureFormat as error:
        raise PictureFormat(f"{path}: {error}") from error
    except PictureTooLarge as error:
        raise PictureTooLarge(f"{path}: {error}") from error


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any Pillow mode → upright RGB, in place where it can be.

    16-bit values are scaled, transparency is laid on white.
    """
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _deep_grey(picture)
    if picture.has_transparency_data:
        colours = picture.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        return Image.alpha_composite(white, colours).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def preprocess(picture: Image.Image, config: PreprocessConfig, image_size: int) -> Tensor:
    """RGB picture → pixels [3, H, W] uint8 with H = W = `image_size`."""
    if config.fit == "squash":
        return _squash(_pixels(picture), image_size, config.interpolation)
    short = round(image_size * config.resize_ratio)
    return _pixels(_crop(picture, short, image_size, RESAMPLING[config.interpolation])).contiguous()


def _drafted(picture: Image.Image, least_px: int) -> Image.Image:
    """Let a JPEG's decoder leave out high frequencies while at least `least_px` a side are left."""
    drafted = picture.draft(None, (least_px, least_px))
    return picture if drafted is None else _filled(picture, *drafted[1][2:])


def _reduced(picture: Image.Image, least_px: int) -> Image.Image:
    """Average blocks of pixels while at least `least_px` a side are left."""
    factor = min(picture.size) // least_px
    if factor < 2:
        return picture
    return _filled(picture.reduce(factor), picture.width / factor, picture.height / factor)


def _filled(picture: Image.Image, width: float, height: float) -> Image.Image:
    """Stretch the first `width` times `height` pixels, of which the last count in part, over all of them.

    Where a side is no multiple of the block, the last block is not whole: left as it is, it would shift all.
    """
    if picture.size == (width, height):
        return picture
    return picture.resize(picture.size, Image.Resampling.BICUBIC, box=(0, 0, width, height))


def _pixels(picture: Image.Image) -> Tensor:
    """RGB picture → its pixels [3, H, W] uint8, channels last in memory."""
    return torch.from_numpy(np.array(picture).transpose(2, 0, 1))


def _squash(pixels: Tensor, size: int, interpolation: str) -> Tensor:
    """Pixels [3, H, W] uint8 → [3, size, size], as Pillow would but several times faster (docs/adr/0021)."""
    return F.interpolate(pixels[None], (size, size), mode=interpolation, antialias=True)[0]


def _crop(picture: Image.Image, short: int, size: int, resampling: Image.Resampling) -> Image.Image:
    """Resize the short side to `short` and cut the centre, in one resampling of the source box."""
    side = min(picture.size) * size / short
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    return picture.resize((size, size), resampling, box=(left, top, left + side, top + side))


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
