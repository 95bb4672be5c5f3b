"""Base64 in the dialects that encoders give: both alphabets, padded or not, in lines, in data URLs."""

import binascii
import re
from urllib.parse import unquote_to_bytes

from service.errors import BadBody
from service.http.request.media_types import is_data_url

STEP_CHARACTERS = 1_048_576
"""Decoded at a time, so that other threads have their turn; a multiple of 4."""
WHITESPACE = b" \t\r\n\v\f"
TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/]")
_DATA_URL = re.compile(rb"data:[^,]{0,256};\s*base64\s*,", re.IGNORECASE)


def decode_base64(text: bytes, name: str) -> bytes:
    """Base64 of any dialect, or a data URL of it, → bytes. Raises BadBody, which calls the text by `name`."""
    if is_data_url(text):
        text = _data_of(text, name)
    try:
        return _decode(text)
    except binascii.Error:  # another dialect, or none: the slower way tells
        digits = _digits(text, name)
        return _decode(digits + b"=" * (-len(digits) % 4))


def _data_of(url: bytes, name: str) -> bytes:
    head = _DATA_URL.match(url)
    if head is None:
        raise BadBody(f"{name} is a data URL, but not of base64: it must begin as data:image/png;base64,")
    data = url[head.end() :]
    return unquote_to_bytes(data) if b"%" in data else data


def _decode(text: bytes) -> bytes:
    """Padded base64 of the standard alphabet. Raises binascii.Error for any other."""
    pieces = [
        binascii.a2b_base64(text[at : at + STEP_CHARACTERS], strict_mode=True)
        for at in range(0, len(text), STEP_CHARACTERS)
    ]
    if any(len(piece) < STEP_CHARACTERS // 4 * 3 for piece in pieces[:-1]):
        raise binascii.Error  # padding within the text
    return b"".join(pieces)


def _digits(text: bytes, name: str) -> bytes:
    """The text's characters in the standard alphabet, without line breaks and padding. Raises BadBody."""
    steps = range(0, len(text), STEP_CHARACTERS)
    clean = b"".join(text[at : at + STEP_CHARACTERS].translate(TO_STANDARD, WHITESPACE) for at in steps)
    digits = clean.rstrip(b"=")
    foreign = _FOREIGN.search(digits)
    if foreign is not None and foreign.group() == b"=":
        raise BadBody(f"{name} is not base64: there is more behind its padding '='")
    if foreign is not None:
        at, character = text.find(foreign.group()), foreign.group().decode("latin-1")
        raise BadBody(f"{name} is not base64: {character!r} at {at} is none of its characters")
    if len(clean) - len(digits) > 2:
        raise BadBody(f"{name} is not base64: it ends in more than two '='")
    if len(digits) % 4 == 1:
        raise BadBody(f"{name} is not base64: at {len(digits)} characters it is cut off, or has one too many")
    return digits
