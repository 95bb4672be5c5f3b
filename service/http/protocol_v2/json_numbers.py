"""The numbers of a tensor in JSON: cut out before the rest is parsed, and read in pieces.

Parsing holds up every other thread until it ends, and a few pictures are a million numbers.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import BadBody

PIECE_BYTES = 65_536
LEVELS = 255
KEY = b'"data"'
_LIST = re.compile(rb"\s{0,64}:\s{0,64}(?=\[)")
_FOREIGN = re.compile(rb"[^0-9+\-.eENaInfity\[\], \t\r\n]")  # to JSON's arrays of numbers, NaN and Infinity
_WITHOUT_BRACKETS = bytes.maketrans(b"[]", b"  ")


def cut_numbers(header: bytes) -> tuple[bytes, bytes | None]:
    """JSON → the same with an empty list for its first `data` of numbers, and that one's text, if any."""
    at = header.find(KEY)
    while at >= 0:
        at += len(KEY)
        opening = _LIST.match(header, at)
        if opening is not None and (end := _end(header, opening.end())) > opening.end():
            return header[: opening.end()] + b"[]" + header[end:], header[opening.end() : end]
        at = header.find(KEY, at)
    return header, None


def parse_numbers(text: bytes, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Flat numbers, or nested as the shape says → the tensor in its shape. Raises BadBody."""
    count = int(np.prod(shape, dtype=object))
    nested = 1 + sum(accumulate(shape[:-1], mul))
    if text.count(b"[") not in (1, nested) or text.count(b"[") != text.count(b"]"):
        raise BadBody(f"data is neither flat nor nested as the shape {shape} says")
    if 2 * count - 1 > len(text):  # before there is memory for them
        raise BadBody(f"the shape {shape} has {count} values; the data has fewer")
    values, filled = np.empty(count, dtype), 0
    for piece in _pieces(text):
        if filled + len(piece) > count:
            raise BadBody(f"the shape {shape} has {count} values; the data has more")
        values[filled : filled + len(piece)] = _of_type(piece, dtype)
        filled += len(piece)
    if filled < count:
        raise BadBody(f"the shape {shape} has {count} values; the data has {filled}")
    return values.reshape(shape)


def _end(text: bytes, start: int) -> int:
    """Behind the last bracket before what is no number."""
    at = start
    while at < len(text):
        foreign = _FOREIGN.search(text, at, at + PIECE_BYTES)
        if foreign is not None:
            return text.rfind(b"]", start, foreign.start()) + 1
        at += PIECE_BYTES
    return text.rfind(b"]", start) + 1


def _pieces(text: bytes) -> Iterator[list[Any]]:
    at = 0
    while at < len(text):
        end = len(text) if len(text) - at <= PIECE_BYTES else text.rfind(b",", at, at + PIECE_BYTES)
        try:
            piece: list[Any] = json.loads(b"[" + text[at:end].translate(_WITHOUT_BRACKETS) + b"]")
        except ValueError as error:
            raise BadBody(f"data is not JSON's numbers: {error}") from error
        if end < at or not piece:
            raise BadBody("data is not JSON's numbers")
        yield piece
        at = end + 1


def _of_type(values: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Raises BadBody for floats where the type is whole, and for what is beyond its range."""
    whole = dtype.kind == "u"
    if whole and set(map(type, values)) != {int}:
        raise BadBody("data has values that are not whole, as UINT8 are")
    try:
        found = np.array(values, np.int64 if whole else np.float64)
    except OverflowError as error:
        raise BadBody("data has values beyond what its datatype can have") from error
    if whole and (found.min() < 0 or found.max() > LEVELS):
        raise BadBody(f"data has values beyond 0 to {LEVELS}, which UINT8 has")
    with np.errstate(over="ignore"):  # what is infinite then is found with what was before
        return found.astype(dtype)
