"""What bytes are, told by how they begin: clients' content types often are not what they say."""

import re

from adapters.pictures.formats import ppm

START_BYTES = 512
_PICTURE = re.compile(
    rb"\xff\xd8\xff"  # JPEG
    rb"|\x89PNG"
    rb"|GIF8[79]a"
    rb"|RIFF.{4}WEBP"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"  # BMP, with the size of a header that there is
    rb"|II[\x2a\x2b]\0|MM\0[\x2a\x2b]",  # TIFF
    re.DOTALL,
)
_MEDIA_BOX = re.compile(rb".{4}ftyp", re.DOTALL)
_JSON = re.compile(rb"(\xef\xbb\xbf)?\s*\{|(\xfe\xff)?\0\{|(\xff\xfe)?\{\0")


def is_picture(start: bytes) -> bool:
    """Whether a body that begins so is a picture of a format that is read."""
    return _PICTURE.match(start) is not None or ppm.SIGNATURE.match(start) is not None


def is_media_file(start: bytes) -> bool:
    """Whether it is HEIC, AVIF or the like, which decoding refuses by its name."""
    return _MEDIA_BOX.match(start) is not None


def is_json_object(start: bytes) -> bool:
    """Whether it can only be JSON's `{`."""
    return _JSON.match(start) is not None


def is_shorn(picture: bytes) -> bool:
    """Whether a picture has lost its line breaks and zero bytes, as `curl --data` takes them out."""
    return len(picture) > START_BYTES and not any(byte in picture for byte in (b"\0", b"\r", b"\n"))
