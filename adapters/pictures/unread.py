"""Formats that are not read, by name: what people do send, so that the answer says more than "unknown"."""

import re

from adapters.errors import PictureFormat

ADVICE = "send JPEG, PNG or WebP"
# ISO base media files begin with their brands. The first line that has one of them names the file.
BRANDS: tuple[tuple[str, str], ...] = (
    ("AVIF", "avif avis avio"),
    (
        "HEIC",
        "heic heix heim heis hevc hevx hevm hevs heif mif1 mif2 mif3 msf1 miaf MiHB MiHE MiHA",
    ),
    ("JPEG XL", "jxl"),
    ("JPEG 2000", "jp2 jpx jpm mjp2 jpxb jph"),
    ("A CR3 raw photograph", "crx"),
    ("QuickTime video", "qt"),
)
HEAD_BYTES = 1024
MARKUP = rb"(?:\xef\xbb\xbf)?\s*<"
SIGNATURES: tuple[tuple[str, str, bytes], ...] = (
    ("JPEG XL", ADVICE, rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
    ("JPEG 2000", ADVICE, rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n"),
    ("JPEG XR", ADVICE, rb"II\xbc[\0\x01]"),
    ("PSD", ADVICE, rb"8BPS"),
    ("DICOM", "export the frame as PNG", rb".{128}DICM"),
    ("PDF", "export the page as PNG", rb"\s*%PDF-"),
    ("PostScript", "export the page as PNG", rb"%!PS|\xc5\xd0\xd3\xc6"),
    ("SVG", "draw it as PNG", MARKUP + rb"(?:svg\b|(?:\?xml|!--|!DOCTYPE svg).{0,900}?<svg\b)"),
    ("HTML", "send the picture itself", MARKUP + rb"(?:!--.*?-->\s*<)?(?:!doctype )?(?:html|head)\b"),
    ("XML", ADVICE, MARKUP + rb"\?xml"),
    ("ICO", ADVICE, rb"\0\0[\x01\x02]\0[^\0]"),
    ("ICNS", ADVICE, rb"icns"),
    ("EXR", "export it as PNG", rb"\x76\x2f\x31\x01"),
    ("Radiance HDR", "export it as PNG", rb"#\?(?:RADIANCE|RGBE)"),
    ("DDS", ADVICE, rb"DDS "),
    ("QOI", ADVICE, rb"qoif"),
    ("XCF", ADVICE, rb"gimp xcf"),
    ("FITS", "export it as PNG", rb"SIMPLE  ="),
    ("HDF5", "export the frame as PNG", rb"\x89HDF\r\n\x1a\n"),
    ("NumPy", "save the array as PNG", rb"\x93NUMPY"),
    ("MNG", ADVICE, rb"\x8aMNG"),
    ("AVI", "send a frame as JPEG", rb"RIFF....AVI "),
    ("WebM", "send a frame as JPEG", rb"\x1a\x45\xdf\xa3"),
    ("ZIP", "send the pictures themselves", rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"),
    ("GZIP", "send the pictures themselves", rb"\x1f\x8b"),
    ("RAR", "send the pictures themselves", rb"Rar!\x1a\x07"),
    ("7z", "send the pictures themselves", rb"7z\xbc\xaf\x27\x1c"),
    ("Text of base64", "send the bytes, or JSON", rb"\s*(?:data:image/|/9j/|iVBORw0KGgo|R0lGOD|UklGR)"),
)  # fmt: skip
PATTERNS = [
    (name, advice, re.compile(pattern, re.DOTALL | re.IGNORECASE)) for name, advice, pattern in SIGNATURES
]


def unread_format(data: bytes) -> PictureFormat | None:
    """The refusal of a format that is known and not read."""
    name, advice = _media_name(data), ADVICE
    if name is None:
        head = data[:HEAD_BYTES]
        found = ((name, advice) for name, advice, pattern in PATTERNS if pattern.match(head))
        name, advice = next(found, (None, ADVICE))
    return None if name is None else PictureFormat(f"{name} is not read; {advice}")


def _media_name(data: bytes) -> str | None:
    if data[4:8] != b"ftyp":
        return None
    box = data[: min(max(int.from_bytes(data[:4], "big"), 16), HEAD_BYTES)]
    brands = {box[at : at + 4].decode("latin-1").strip() for at in (8, *range(16, len(box), 4))}
    return next((name for name, known in BRANDS if brands & set(known.split())), "MP4 video")
