"""The values of an input become the pictures that they say, or are refused."""

import base64
import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from torch import Tensor

from adapters.vit.backbone import Backbone
from service.errors import BadBody, NoPicture, RequestTooLarge
from service.http.decoding.decoder import Picture
from service.http.protocol_v2.inference_request import InputParameters, InputTensor
from service.http.protocol_v2.json_numbers import cut_numbers
from service.http.protocol_v2.pictures import input_pictures
from service.http.request.limits import RequestLimits
from tests.support.backbones import tiny_backbone

CONFIG = tiny_backbone().config
SIZE = CONFIG.image_size
LIMITS = RequestLimits(10_000_000, 1000, 4, 1000, 1000, 1000)
PIXELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 4), st.just(3), st.just(SIZE), st.just(SIZE)))


def pictures(
    datatype: str,
    shape: list[int],
    data: Any = None,
    raw: bytes | None = None,
    content_type: str | None = None,
) -> list[Picture]:
    parameters = InputParameters(content_type=content_type)
    _, numbers = cut_numbers(json.dumps({"data": data}).encode())
    data = data if numbers is None else numbers
    image = InputTensor(name="image", datatype=datatype, shape=shape, data=data, parameters=parameters)
    return input_pictures(image, None if raw is None else memoryview(raw), LIMITS, CONFIG)


def framed(*elements: bytes) -> bytes:
    return b"".join(len(each).to_bytes(4, "little") + each for each in elements)


def stacked(found: list[Picture]) -> NDArray[np.uint8]:
    assert all(isinstance(each, Tensor) and each.dtype == torch.uint8 for each in found)
    return np.stack([np.asarray(each) for each in found])


def normalized(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (CONFIG.mean, CONFIG.std))
    return ((pixels / 255 - mean) / std).astype("<f4")


BYTES = st.binary(min_size=1, max_size=50).filter(lambda each: not each.startswith(b"data:"))


@given(st.lists(BYTES, min_size=1, max_size=4))
def test_encoded_pictures_come_as_they_are(sent: list[bytes]) -> None:
    shape, texts = [len(sent)], [base64.b64encode(each).decode() for each in sent]
    assert pictures("BYTES", shape, raw=framed(*sent)) == sent
    assert pictures("BYTES", [*shape, 1], raw=framed(*sent)) == sent
    assert pictures("BYTES", shape, data=texts) == sent
    assert pictures("BYTES", [*shape, 1], data=[[text] for text in texts]) == sent
    assert pictures("BYTES", shape, raw=framed(*map(str.encode, texts)), content_type="base64") == sent


def test_a_data_url_says_that_it_is_base64() -> None:
    url = b"data:image/png;base64," + base64.b64encode(b"picture")
    assert pictures("BYTES", [1], raw=framed(url)) == [b"picture"]


def test_encoded_pictures_padded_to_one_length() -> None:
    assert pictures("UINT8", [2, 3], raw=b"ab\0cde") == [b"ab\0", b"cde"]


@given(PIXELS)
def test_pixels_come_as_they_are(pixels: NDArray[np.uint8]) -> None:
    last = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    assert (stacked(pictures("UINT8", list(pixels.shape), raw=pixels.tobytes())) == pixels).all()
    assert (stacked(pictures("UINT8", list(last.shape), raw=last.tobytes())) == pixels).all()


@given(PIXELS)
def test_normalised_pixels_are_what_they_were(pixels: NDArray[np.uint8]) -> None:
    assert (stacked(pictures("FP32", list(pixels.shape), raw=normalized(pixels).tobytes())) == pixels).all()


def test_json_may_be_flat_or_nested() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    expected, shape = pixels.transpose(0, 3, 1, 2), list(pixels.shape)
    assert (stacked(pictures("UINT8", shape, data=pixels.tolist())) == expected).all()
    assert (stacked(pictures("UINT8", shape, data=pixels.ravel().tolist())) == expected).all()
    first = normalized(expected)
    assert (stacked(pictures("FP32", list(first.shape), data=first.tolist())) == expected).all()


def test_the_pixels_hold_nothing_of_the_body() -> None:
    body = bytearray(3 * SIZE * SIZE)
    [found] = pictures("UINT8", [1, 3, SIZE, SIZE], raw=bytes(body))
    image = InputTensor(name="image", datatype="UINT8", shape=[1, 3, SIZE, SIZE])
    [view] = input_pictures(image, memoryview(body), LIMITS, CONFIG)
    body[:] = b"\xff" * len(body)
    assert isinstance(view, Tensor)
    assert isinstance(found, Tensor)
    assert int(view.max()) == int(found.max()) == 0


def test_values_a_little_beyond_are_cut_off() -> None:
    values = normalized(np.full((1, 3, SIZE, SIZE), 255, np.uint8)) + 0.2
    assert (stacked(pictures("FP32", list(values.shape), raw=values.tobytes())) == 255).all()


SHAPE = [1, 3, SIZE, SIZE]
COUNT = 3 * SIZE * SIZE


def floats(value: float) -> bytes:
    values = np.zeros(SHAPE, "<f4")
    values[0, 2, 5, 7] = value
    return values.tobytes()


@pytest.mark.parametrize(
    ("datatype", "shape", "values", "message"),
    [
        ("INT8", SHAPE, {"raw": bytes(COUNT)}, "datatype 'INT8' is not read"),
        ("FP16", SHAPE, {"raw": bytes(2 * COUNT)}, "datatype 'FP16' is not read"),
        ("uint8", SHAPE, {"raw": bytes(COUNT)}, "datatype 'uint8' is not read"),
        ("UINT8", SHAPE, {"raw": bytes(COUNT - 1)}, f"has {COUNT} bytes, not {COUNT - 1}"),
        ("UINT8", SHAPE, {"raw": bytes(COUNT + 1)}, f"has {COUNT} bytes, not {COUNT + 1}"),
        ("UINT8", [1, 3, 2**31, 2**31], {"raw": bytes(8)}, "has 13835058055282163712 bytes, not 8"),
        ("FP32", SHAPE, {"raw": bytes(COUNT)}, f"has {4 * COUNT} bytes, not {COUNT}"),
        ("UINT8", [1, 3, SIZE, SIZE + 1], {"raw": bytes(3 * SIZE * (SIZE + 1))}, "pixels have the shape"),
        ("UINT8", [3, SIZE, SIZE], {"raw": bytes(COUNT)}, "pixels have the shape"),
        ("FP32", [1, COUNT], {"raw": bytes(4 * COUNT)}, "pixels have the shape"),
        ("FP32", SHAPE, {"raw": floats(float("nan"))}, "picture 0 has values that are not finite"),
        ("FP32", SHAPE, {"raw": floats(float("inf"))}, "picture 0 has values that are not finite"),
        ("FP32", SHAPE, {"raw": floats(3e38)}, "picture 0 has values that are not finite"),
        ("FP32", SHAPE, {"raw": floats(255.0)}, r"values from 0 to 255, which are not \(pixel / 255"),
        ("FP32", SHAPE, {"data": [0.0] * (COUNT - 1) + [10**400]}, "beyond what its datatype can have"),
        ("FP32", SHAPE, {"data": [0.0] * (COUNT - 1) + [1e300]}, "not finite"),
        ("FP32", SHAPE, {"data": [0.0] * (COUNT - 1) + ["0"]}, "a list of FP32, all of it numbers"),
        ("FP32", SHAPE, {"data": [0.0] * (COUNT - 1) + [True]}, "a list of FP32, all of it numbers"),
        ("FP32", SHAPE, {"data": [0.0] * (COUNT - 1)}, f"{COUNT} values; the data has {COUNT - 1}"),
        ("UINT8", SHAPE, {"data": [0] * (COUNT - 1) + [256]}, "values beyond 0 to 255"),
        ("UINT8", SHAPE, {"data": [0] * (COUNT - 1) + [-1]}, "values beyond 0 to 255"),
        ("UINT8", SHAPE, {"data": [0] * (COUNT - 1) + [10**30]}, "values beyond"),
        ("UINT8", SHAPE, {"data": [0] * (COUNT - 1) + [1.5]}, "values that are not whole"),
        ("UINT8", SHAPE, {"data": "AAAA"}, "a list of UINT8, all of it numbers"),
        ("UINT8", SHAPE, {"data": []}, f"{COUNT} values; the data has fewer"),
        ("UINT8", SHAPE, {"data": [[[0] * SIZE] * SIZE] * 3}, "neither flat nor nested as the shape"),
        ("UINT8", SHAPE, {"data": [[[[0] * SIZE] * SIZE] * 2 + [[[0]]]]}, "neither flat nor nested"),
        ("BYTES", [2], {"data": ["YWJj"]}, "has 2 elements; the data has 1"),
        ("BYTES", [1], {"data": ["YWJj", "YWJj"]}, "has 1 elements; the data has 2"),
        ("BYTES", [1, 2], {"data": ["YWJj", "YWJj"]}, r"the shape \[B\] or \[B, 1\], not \[1, 2\]"),
        ("BYTES", [1], {"data": ["ÿØÿà"]}, "element 0 is not a string of base64"),
        ("BYTES", [1], {"data": [[["YWJj"]]]}, "element 0 is not a string of base64"),
        ("BYTES", [1], {"data": [7]}, "must be a list of strings of base64"),
        ("BYTES", [1], {"data": ["!"]}, "element 0 is not base64"),
        ("BYTES", [1], {"data": {"b64": "YWJj"}}, "must be a list of strings of base64"),
        ("BYTES", [1], {"raw": b"\5\0\0\0abc"}, "an element of BYTES ends at 9, but the tensor has 7 bytes"),
        ("BYTES", [1], {"raw": b"\0\0"}, "an element of BYTES ends at 4, but the tensor has 2 bytes"),
        ("BYTES", [1], {"raw": b"\xff\xff\xff\xffabc"}, "an element of BYTES ends at"),
        ("BYTES", [1], {"raw": framed(b"a", b"b")}, "has 1 elements; the data has 2"),
    ],
)  # fmt: skip
def test_what_is_refused(datatype: str, shape: list[int], values: dict[str, Any], message: str) -> None:
    with pytest.raises(BadBody, match=message):
        pictures(datatype, shape, **values)


def test_the_limits_of_a_request_hold() -> None:
    with pytest.raises(RequestTooLarge, match="5 pictures; a request may have 4"):
        pictures("BYTES", [5], raw=framed(*[b"a"] * 5))
    with pytest.raises(RequestTooLarge, match="picture 1 has 1001 bytes"):
        pictures("BYTES", [2], raw=framed(b"a", b"a" * 1001))
    with pytest.raises(NoPicture):
        pictures("BYTES", [1], raw=framed(b""))


@given(
    st.binary(max_size=100),
    st.sampled_from(["BYTES", "UINT8", "FP32"]),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
def test_whatever_comes_is_read_or_refused(raw: bytes, datatype: str, shape: list[int]) -> None:
    with suppress(BadBody, NoPicture, RequestTooLarge):
        assert len(pictures(datatype, shape, raw=raw)) == shape[0]


def test_the_backbone_of_these_tests(backbone: Backbone) -> None:
    assert backbone.config == CONFIG
