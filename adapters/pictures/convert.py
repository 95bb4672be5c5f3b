"""Any mode → RGB, smaller by whole blocks, without a second picture of that size in memory."""

from PIL import Image

from adapters.pictures.deep import BAND_PIXELS, Box, Converter, bands, eight_bits, is_deep

Factors = tuple[int, int]
WHOLE: Factors = (1, 1)


def to_rgb(picture: Image.Image, factors: Factors = WHOLE, box: Box | None = None) -> Image.Image:
    """A box of any picture → RGB, with blocks of `factors` pixels averaged; decodes it.

    The picture itself where it is that already. Transparency is laid on white, before any averaging; what
    is deep becomes 8 bits (`adapters.pictures.deep`). What is not grey or RGB is converted in bands of rows.
    """
    picture.load()
    plain = picture.mode in ("RGB", "L") and not picture.has_transparency_data
    if plain:
        return _grey_to_rgb(_averaged(picture, factors, box))
    convert = eight_bits(picture) if is_deep(picture.mode) else _on_white
    box = box or (0, 0, *picture.size)
    left, top, right, bottom = box
    width = right - left
    rows = max(BAND_PIXELS // width // factors[1], 1) * factors[1]
    if rows >= bottom - top:
        whole = picture if box == (0, 0, *picture.size) else picture.crop(box)
        return _grey_to_rgb(_averaged(convert(whole), factors))
    return _in_bands(picture, convert, factors, box, rows)


def _in_bands(picture: Image.Image, convert: Converter, factors: Factors, box: Box, rows: int) -> Image.Image:
    columns, lines = (-(-(box[axis + 2] - box[axis]) // factors[axis]) for axis in (0, 1))
    small = Image.new("RGB", (columns, lines))
    for index, band in enumerate(bands(picture, box, rows)):
        small.paste(_grey_to_rgb(_averaged(convert(band), factors)), (0, index * rows // factors[1]))
    return small


def _averaged(picture: Image.Image, factors: Factors, box: Box | None = None) -> Image.Image:
    if factors == WHOLE:
        return picture if box is None else picture.crop(box)
    return picture.reduce(factors, box)


def _grey_to_rgb(picture: Image.Image) -> Image.Image:
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    if picture.mode == "La":  # Pillow converts it to this alone
        picture = picture.convert("LA")
    colours = picture.convert("RGBA")
    white = Image.new("RGBA", colours.size, "white")
    return Image.alpha_composite(white, colours).convert("RGB")
