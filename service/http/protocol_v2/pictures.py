"""The input of an inference request → pictures: encoded ones, or pixels that the client has fitted itself."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.config import BackboneConfig
from service.errors import BadBody, RequestTooLarge
from service.http.decoding.decoder import Picture
from service.http.protocol_v2.inference_request import InputTensor
from service.http.protocol_v2.json_numbers import LEVELS, parse_numbers
from service.http.request.base64_text import decode_base64
from service.http.request.bodies import check_pictures
from service.http.request.limits import RequestLimits
from service.http.request.media_types import is_data_url

LENGTH_BYTES = 4
MOST_BEYOND = LEVELS / 2
"""How far an FP32 value may lie beyond what a pixel can have: resampling floats overshoots by less."""


def input_pictures(
    image: InputTensor, raw: memoryview | None, limits: RequestLimits, backbone: BackboneConfig
) -> list[Picture]:
    """The pictures of a tensor whose values stand in it, or in `raw`.

    BYTES [B] or [B, 1] and UINT8 [B, N] (padded with zeros) are encoded pictures. UINT8 [B, 3, H, W] and
    [B, H, W, 3] are pixels of the input size; FP32 of these shapes the same as the backbone takes them,
    (pixel / 255 - mean) / std. Raises BadBody, NoPicture and RequestTooLarge.
    """
    if image.shape[0] > limits.pictures:
        raise RequestTooLarge(f"{image.shape[0]} pictures; a request may have {limits.pictures}")
    if image.datatype == "BYTES":
        return _checked(_texts(image, raw), limits)
    if image.datatype == "UINT8" and len(image.shape) == 2:
        return _checked([row.tobytes() for row in _numbers(image, raw, np.dtype("u1"))], limits)
    if image.datatype == "UINT8":
        levels = _channels_first(image, _numbers(image, raw, np.dtype("u1")), backbone)
        return [_pixels(each) for each in levels]
    if image.datatype == "FP32":
        values = _channels_first(image, _numbers(image, raw, np.dtype("<f4")), backbone)
        return [_pixels(_levels(each, index, backbone)) for index, each in enumerate(values)]
    raise BadBody(f"datatype {image.datatype!r:.80} is not read; the input is BYTES, UINT8 or FP32")


def _checked(pictures: list[bytes], limits: RequestLimits) -> list[Picture]:
    check_pictures(pictures, limits)
    return list(pictures)


def _texts(image: InputTensor, raw: memoryview | None) -> list[bytes]:
    if len(image.shape) > 2 or math.prod(image.shape) != image.shape[0]:
        raise BadBody(f"encoded pictures have the shape [B] or [B, 1], not {image.shape}")
    if raw is None:
        found = [_decoded(index, text) for index, text in enumerate(_flat(image.data))]
    else:
        found = [_as_picture(image, index, text) for index, text in enumerate(_elements(raw))]
    if len(found) != image.shape[0]:
        raise BadBody(f"the shape {image.shape} has {image.shape[0]} elements; the data has {len(found)}")
    return found


def _decoded(index: int, text: object) -> bytes:
    if not isinstance(text, str) or not text.isascii():
        raise BadBody(f"element {index} is not a string of base64, as a picture in JSON must be")
    return decode_base64(text.encode(), f"element {index}")


def _as_picture(image: InputTensor, index: int, element: bytes) -> bytes:
    if image.parameters.content_type == "base64" or is_data_url(element):
        return decode_base64(element, f"element {index}")
    return element


def _elements(raw: memoryview) -> Iterator[bytes]:
    """Elements with their lengths in four bytes, little-endian, before them."""
    at, size = 0, len(raw)
    while at < size:
        end = at + LENGTH_BYTES + int.from_bytes(raw[at : at + LENGTH_BYTES], "little")
        if at + LENGTH_BYTES > size or end > size:
            raise BadBody(f"an element of BYTES ends at {end}, but the tensor has {size} bytes")
        yield bytes(raw[at + LENGTH_BYTES : end])
        at = end


def _flat(data: object) -> Sequence[object]:
    """`["…", …]`, or each in a list of its own, as its shape [B, 1] may be written."""
    if not isinstance(data, list):
        raise BadBody("data must be a list of strings of base64, as pictures in JSON are")
    return [each[0] if isinstance(each, list) and len(each) == 1 else each for each in data]


def _numbers(image: InputTensor, raw: memoryview | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values in the tensor's shape. Raises BadBody where they do not fill it, or are not of the type."""
    if raw is not None:
        count = math.prod(image.shape)
        if len(raw) != count * dtype.itemsize:
            needed = count * dtype.itemsize
            raise BadBody(f"{image.datatype} of the shape {image.shape} has {needed} bytes, not {len(raw)}")
        return np.frombuffer(raw, dtype).reshape(image.shape)
    if not isinstance(image.data, bytes):
        raise BadBody(f"data must be a list of {image.datatype}, all of it numbers")
    return parse_numbers(image.data, image.shape, dtype)


def _channels_first(image: InputTensor, values: NDArray[Any], backbone: BackboneConfig) -> NDArray[Any]:
    """[B, 3, H, W] of either order. Raises BadBody for another size than the backbone's."""
    size = backbone.image_size
    if image.shape[1:] == [3, size, size]:
        return values
    if image.shape[1:] == [size, size, 3]:
        return values.transpose(0, 3, 1, 2)
    raise BadBody(
        f"pixels have the shape [B, 3, {size}, {size}] or [B, {size}, {size}, 3], not {image.shape}; "
        "encoded pictures (BYTES) may be of any size"
    )


def _levels(values: NDArray[Any], index: int, backbone: BackboneConfig) -> NDArray[Any]:
    """Normalised values [3, H, W] → levels from 0 to 255, those of pixels."""
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (backbone.mean, backbone.std))
    with np.errstate(over="ignore", invalid="ignore"):
        levels = (values * std + mean) * LEVELS
    if not np.isfinite(levels).all():
        raise BadBody(f"picture {index} has values that are not finite")
    if levels.min() < -MOST_BEYOND or levels.max() > LEVELS + MOST_BEYOND:
        raise BadBody(
            f"picture {index} has values from {values.min():.4g} to {values.max():.4g}, which are not "
            f"(pixel / 255 - mean) / std with mean {list(backbone.mean)} and std {list(backbone.std)}; "
            "pixels as they are have the datatype UINT8"
        )
    rounded: NDArray[Any] = np.rint(levels).clip(0, LEVELS)
    return rounded


def _pixels(levels: NDArray[Any]) -> Tensor:
    """A copy, for the body's memory is given back before the pixels are."""
    return torch.from_numpy(levels.astype(np.uint8, order="C", copy=True))
