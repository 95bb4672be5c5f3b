"""PBM, PGM, PPM and PFM: rows as they are, or numbers that Pillow reads in Python."""

import io
import re

from PIL.PpmImagePlugin import PpmImageFile

from adapters.errors import PictureFormat, PictureTooLarge
from adapters.pictures.budget import Budget, Work, check_count
from adapters.pictures.formats.source import Source
from adapters.pictures.formats.splice import spliced

SIGNATURE = re.compile(rb"P[1-6fF](?:\s[\s\d#]|#)|P7\n(?:[A-Z]+ |#)")
NOT_READ = {
    b"PF": "PFM of three channels is not read; send PFM of one (Pf), or PNG",
    b"P7": "PAM is not read; send PPM or PNG",
}
SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
HEAD = re.compile(rb"P(?:[14]%b\d+%b\d+|[2356f]%b\d+%b\d+%b[-+.\deE]+)\s" % ((SPACE,) * 5))
MAX_HEAD_BYTES = 65_536
MAX_COMMENTS = 1_000
NS_A_PIXEL = 5.0
NUMBER_NS_A_SAMPLE = 320.0
DIGIT_NS_A_SAMPLE = 60.0  # of P1, where each is one character
NUMBER_NS_A_BYTE = 30.0
NUMBER_BYTES_A_SAMPLE = 12.0


def open_ppm(data: bytes, budget: Budget) -> Source:
    """Raises PictureTooLarge and PictureFormat, and what Pillow raises."""
    magic = data[:2]
    if magic in NOT_READ:
        raise PictureFormat(NOT_READ[magic])
    if not HEAD.match(data[:MAX_HEAD_BYTES]) and len(data) > MAX_HEAD_BYTES:
        raise PictureTooLarge(f"a PPM header of more than {MAX_HEAD_BYTES} bytes")
    has_comment = data[2:3] == b"#"  # at once, which Pillow takes for a part of the magic number
    file = spliced(magic + b"\n", data, 2, len(data), b"") if has_comment else io.BytesIO(data)
    picture = PpmImageFile(file)
    budget.check_size(*picture.size)
    pixels = picture.width * picture.height
    decoder = picture.tile[0][0]
    if decoder == "raw":
        return Source(picture, Work(0, pixels * NS_A_PIXEL / 1e9))
    if decoder == "ppm_plain":
        check_count(data.count(b"#"), MAX_COMMENTS, "comments")
    samples = pixels * len(picture.getbands())
    sample_ns = DIGIT_NS_A_SAMPLE if picture.mode == "1" else NUMBER_NS_A_SAMPLE
    seconds = (samples * sample_ns + len(data) * NUMBER_NS_A_BYTE) / 1e9
    return Source(picture, Work(samples * NUMBER_BYTES_A_SAMPLE + 30e6, seconds))
