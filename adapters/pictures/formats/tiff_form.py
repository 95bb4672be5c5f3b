"""What a TIFF's pixel is made of, and who reads that rightly: Pillow, libtiff in native order, or nobody."""

from dataclasses import dataclass
from typing import IO, Any

from PIL import ImageFile
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, OPEN_INFO, TiffImageFile

from adapters.errors import PictureFormat

Modes = tuple[str, str]  # Pillow's mode, and its name for how the samples are stored
UNSIGNED, SIGNED, FLOATING = 1, 2, 3
RGB, PALETTE, CMYK, YCBCR = 2, 3, 5, 6
KINDS = {0: "grey", 1: "grey", RGB: "RGB", PALETTE: "palette", CMYK: "CMYK", YCBCR: "YCbCr", 8: "Lab"}
FORMATS: dict[tuple[int, ...], str] = {(UNSIGNED,): "unsigned", (SIGNED,): "signed", (FLOATING,): "floating"}
# One sample by its format and bits, as libtiff unpacks it: in the machine's order, whichever the file's is.
NATIVE = {
    (UNSIGNED, 12): ("I;16", "I;12"),  # packed, and so of one order
    (UNSIGNED, 16): ("I;16", "I;16N"),
    # Pillow has no unsigned mode of 32 bits, and no half: `adapters.pictures.deep` reads the same bits.
    (UNSIGNED, 32): ("I", "I;32NS"),
    (SIGNED, 8): ("I", "I;8S"),
    (SIGNED, 16): ("I", "I;16NS"),
    (SIGNED, 32): ("I", "I;32NS"),
    (FLOATING, 16): ("I;16", "I;16N"),
    (FLOATING, 32): ("F", "F;32NF"),
    (FLOATING, 64): ("F", "F;64NF"),
}
BYTE_A_PLANE = ("RGB", "RGBA", "CMYK")  # what Pillow reads plane by plane: a letter for each
BITS_BY_PILLOW = (PALETTE, YCBCR)
ALPHA = ((1,), (2,), (999,))
READ = (
    "what is read is grey of up to 16 or 32 bits (floating: 16, 32 or 64), palettes, RGB, RGBA and CMYK of 8 "
    "or 16 bits, and of 8 bits YCbCr and, in one plane, grey with alpha and Lab; or send it as PNG"
)


@dataclass(frozen=True)
class Form:
    """The tags that say what a pixel is.

    `planes` where its samples are apart, `dropped` where the last of those are not given, as of no use.
    """

    order: bytes
    compressed: bool
    photometric: int
    fill_order: int
    formats: tuple[int, ...]
    bits: tuple[int, ...]
    extra: tuple[int, ...]
    planes: bool
    dropped: bool
    subsampled: bool

    def native(self) -> Modes | None:
        """The modes to read it in by libtiff, or None where Pillow by itself reads it rightly.

        Raises PictureFormat for what neither does.
        """
        known = self._known(self.fill_order if self.photometric in BITS_BY_PILLOW else 1)
        grey = NATIVE.get((self.formats[0], self.bits[0])) if self._is_grey else None
        if grey is not None:
            return None if known and self._is_plain and not self.planes and grey[1] != "I;8S" else grey
        if known is None or (self.planes and not self._has_readable_planes(known)):
            raise PictureFormat(f"{self} is not read; {READ}")
        if self.photometric == YCBCR and (self.subsampled or self.planes) and not self.compressed:
            return "RGB", "RGBX"
        if self.photometric in BITS_BY_PILLOW or self._is_read_by_pillow(known):
            return None
        return known[0], known[1].replace(";16L", ";16N").replace(";16B", ";16N")

    def _known(self, fill_order: int) -> Modes | None:
        """Pillow's modes; libtiff gives bits in the first order, whichever they have in the file."""
        key: Any = (self.order, self.photometric, self.formats, fill_order, self.bits, self.extra)
        modes: Modes | None = OPEN_INFO.get(key)
        return modes

    @property
    def _is_grey(self) -> bool:
        return KINDS.get(self.photometric) == "grey" and len(self.bits) == len(self.formats) == 1

    @property
    def _is_plain(self) -> bool:
        return not self.compressed and self.fill_order == 1

    def _has_readable_planes(self, known: Modes) -> bool:
        """Whether Pillow puts each plane where it belongs: by itself, or as it copies libtiff's."""
        if self._is_read_by_pillow(known):
            return True
        if self.extra:
            return self.photometric == RGB and self.extra in ALPHA
        return self._is_grey or (self.photometric, len(self.bits)) in ((RGB, 3), (CMYK, 4), (YCBCR, 3))

    def _is_read_by_pillow(self, known: Modes) -> bool:
        if self.planes:
            return self._is_plain and known[1] in BYTE_A_PLANE and not self.dropped
        return self.fill_order == 1

    def __str__(self) -> str:
        kind = KINDS.get(self.photometric, f"photometric {self.photometric}")
        samples = " + ".join(map(str, self.bits)) if len(set(self.bits)) > 1 else f"{self.bits[0]}"
        count = f"{len(self.bits)} x " if len(self.bits) > 1 else ""
        form = FORMATS.get(self.formats, f"sample format {' and '.join(map(str, self.formats))}")
        extra = f", extra samples {self.extra}" if self.extra else ""
        return f"TIFF of {kind}, {count}{samples} bits, {form}{extra}{', in planes' if self.planes else ''},"


class TiffPicture(TiffImageFile):
    """Pillow's; with `native` modes, what it would refuse or misread is read by libtiff."""

    def __init__(self, file: IO[bytes], native: Modes | None) -> None:
        self._native = native
        super().__init__(file)

    def _setup(self) -> None:
        if self._native is None:
            super()._setup()
            return
        self._mode, raw_mode = self._native
        self._size = self._tile_size = self.tag_v2[IMAGEWIDTH], self.tag_v2[IMAGELENGTH]
        self.use_load_libtiff = True
        place = (raw_mode, False, self.tag_v2.offset)
        self.tile = [ImageFile._Tile("libtiff", (0, 0, *self._size), 0, place)]  # noqa: SLF001 - as its guide to plugins
