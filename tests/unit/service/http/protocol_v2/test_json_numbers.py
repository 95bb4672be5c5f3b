"""Numbers of a tensor in JSON: the same as the whole JSON parsed at once."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from service.errors import BadBody
from service.http.protocol_v2 import json_numbers
from service.http.protocol_v2.json_numbers import cut_numbers, parse_numbers

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, max_side=5)
U1, F4 = np.dtype("u1"), np.dtype("<f4")


@pytest.fixture(params=[json_numbers.PIECE_BYTES, 8])
def piece_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Numbers come in one piece, or in very many."""
    monkeypatch.setattr(json_numbers, "PIECE_BYTES", request.param)
    return int(request.param)


def written(data: object, indent: int | None) -> bytes:
    request = {"id": "7", "inputs": [{"name": "image", "data": data, "shape": [1]}], "outputs": []}
    return json.dumps(request, indent=indent).encode()


@given(arrays.arrays(np.uint8, SHAPES), st.booleans(), st.sampled_from([None, 2]))
def test_whole_numbers_are_read_as_they_are(
    values: NDArray[np.uint8], flat: bool, indent: int | None
) -> None:
    data = values.ravel().tolist() if flat else values.tolist()
    rest, text = cut_numbers(written(data, indent))

    assert text is not None
    assert json.loads(text) == data
    assert json.loads(rest) == json.loads(written([], None))
    assert (parse_numbers(text, list(values.shape), U1) == values).all()


@given(arrays.arrays(np.float32, SHAPES))
def test_floats_are_read_as_they_are(values: NDArray[np.float32]) -> None:
    _, text = cut_numbers(written(values.tolist(), None))  # with NaN and infinities, as Python writes them
    assert text is not None
    np.testing.assert_array_equal(parse_numbers(text, list(values.shape), F4), values)


@pytest.mark.usefixtures("piece_bytes")
@pytest.mark.parametrize("data", [[[1, 2, 3], [40, 50, 60]], [1, 2, 3, 40, 50, 60]])
def test_in_pieces_of_any_size(data: list[Any]) -> None:
    _, text = cut_numbers(written(data, None))
    assert text is not None
    assert parse_numbers(text, [2, 3], U1).tolist() == [[1, 2, 3], [40, 50, 60]]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b'{"data": ["YWJj"]}',
        b'{"data": [true]}',
        b'{"data": 7}',
        b'{"data": [[null]]}',
        b'{"a": "\\"data\\": [1]"}',
        b'{"name": "data"}',
        b'{"data": [1, 2',
        b'{"data": [1, "a"]}',
    ],
)
def test_what_is_no_list_of_numbers_stays_where_it_is(header: bytes) -> None:
    assert cut_numbers(header) == (header, None)


@pytest.mark.usefixtures("piece_bytes")
@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        (b"[1, 2, 3]", [2, 2], "has 4 values; the data has 3"),
        (b"[1]", [2, 2], "has 4 values; the data has fewer"),
        (b"[1, 2, 3, 4, 5]", [2, 2], "has 4 values; the data has more"),
        (b"[]", [1], "not JSON's numbers"),
        (b"[1, 2]", [2**31, 2**31, 2**31], "the data has fewer"),
        (b"[[1, 2], [3, 4]", [2, 2], "neither flat nor nested"),
        (b"[[1, 2, 3, 4]]", [2, 2], "neither flat nor nested"),
        (b"[[[1, 2]], [3, 4]]", [2, 2], "neither flat nor nested"),
        (b"[1, 256, 3, 4]", [2, 2], "beyond 0 to 255"),
        (b"[1, -1, 3, 4]", [2, 2], "beyond 0 to 255"),
        (b"[1, 1.5, 3, 4]", [2, 2], "not whole"),
        (b"[1, NaN, 3, 4]", [2, 2], "not whole"),
        (b"[1, 9999999999999999999999, 3, 4]", [2, 2], "numbers|beyond"),
        (b"[1, 2, 3, 4,]", [2, 2], "not JSON's numbers"),
        (b"[1,, 2, 3, 4]", [2, 2], "not JSON's numbers"),
        (b"[1 2, 3, 4, 5]", [2, 2], "not JSON's numbers"),
        (b"[1, 02, 3, 4]", [2, 2], "not JSON's numbers"),
        (b"[1, -, 3, 4]", [2, 2], "not JSON's numbers"),
        (b"[1, Nan, 3, 4]", [2, 2], "not JSON's numbers"),
        (b"[[1, 2][3, 4]]", [2, 2], "not JSON's numbers"),
    ],
)
def test_what_is_refused(text: bytes, shape: list[int], message: str) -> None:
    with pytest.raises(BadBody, match=message):
        parse_numbers(text, shape, U1)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    for text in (b"[" + b"1" * 5000 + b"]", b"[" + b"1" * 200_000 + b"]"):
        with pytest.raises(BadBody):
            parse_numbers(text, [1], F4)
