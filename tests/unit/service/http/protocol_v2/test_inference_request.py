"""The JSON of an inference request and what stands behind it, read strictly."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadBody, RequestTooLarge
from service.http.protocol_v2.inference_request import MOST_JSON_MARKS, header_length, parse_inference

PIXELS = {"name": "image", "datatype": "UINT8", "shape": [1, 2], "data": [1, 2]}
BINARY = {"name": "image", "datatype": "UINT8", "shape": [1, 2], "parameters": {"binary_data_size": 2}}


def request(**changed: Any) -> bytes:
    return json.dumps({"inputs": [PIXELS], **changed}).encode()


def test_values_in_the_json() -> None:
    inference = parse_inference(request(id="7", model_name="pets", model_version="3"), None)

    assert (inference.image.data, inference.raw, inference.image.shape) == (b"[1, 2]", None, [1, 2])
    assert (inference.asked.id, inference.asked.binary, inference.asked.timeout_ms) == ("7", False, None)
    assert [output.name for output in inference.asked.outputs] == ["probabilities"]


def test_values_behind_the_json() -> None:
    header = request(inputs=[BINARY], parameters={"binary_data_output": True, "timeout": 1500, "mine": [1]})

    inference = parse_inference(header + b"\x07\x09", len(header))

    assert bytes(inference.raw or b"") == b"\x07\x09"
    assert (inference.asked.binary, inference.asked.timeout_ms) == (True, 2)


@given(st.binary())
def test_a_raw_request_is_one_encoded_picture(body: bytes) -> None:
    inference = parse_inference(body, 0)

    assert bytes(inference.raw or b"") == len(body).to_bytes(4, "little") + body
    assert (inference.image.datatype, inference.image.shape) == ("BYTES", [1])


@pytest.mark.parametrize(("given", "length"), [({}, None), ({"Inference-Header-Content-Length": "12"}, 12)])
def test_the_length_of_the_json(given: dict[str, str], length: int | None) -> None:
    assert header_length(given) == length


@pytest.mark.parametrize("text", ["-1", "1.5", "", "x", "١", "9" * 13, "1, 1"])
def test_a_length_that_is_none(text: str) -> None:
    with pytest.raises(BadBody, match="must be a number of bytes"):
        header_length({"Inference-Header-Content-Length": text})


def changed(**keys: Any) -> list[dict[str, Any]]:
    return [{**PIXELS, **keys}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "must be a JSON object, not a list"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 10_000, "not JSON"),
        (b'{"id": "a", "id": "b", "inputs": []}', "given twice"),
        (b"{}", "key 'inputs' is missing"),
        (request(inputs=[]), "one input, 'image'; the request has 0"),
        (request(inputs=[PIXELS, PIXELS]), "the request has 2"),
        (request(inputs={}), "inputs"),
        (request(inputs=changed(name="input")), "there is no input 'input'; there is 'image'"),
        (request(inputs=changed(shape=[-1, 2])), "shape"),
        (request(inputs=changed(shape=[0])), "shape"),
        (request(inputs=changed(shape=[True])), "shape"),
        (request(inputs=changed(shape=[1.0])), "shape"),
        (request(inputs=changed(shape=[2**40])), "shape"),
        (request(inputs=changed(shape=[1] * 9)), "shape"),
        (request(inputs=changed(shape=[])), "shape"),
        (request(inputs=changed(datatype=3)), "datatype"),
        (request(inputs=changed(more=1)), "unknown key 'inputs.0.more'"),
        (request(inputs=changed(data=None)), "neither data nor binary_data_size"),
        (request(inputs=changed(parameters={"binary_data_size": 2})), "both data and binary_data_size"),
        (request(inputs=changed(parameters={"binary_data_size": -2})), "binary_data_size"),
        (request(inputs=changed(parameters={"binary_data_size": "2"})), "binary_data_size"),
        (request(inputs=changed(parameters=[])), "parameters"),
        (request(inputs=[BINARY]), "says 2 bytes; behind the JSON are 0"),
        (request(id=7), "id"),
        (request(id="x" * 1025), "id"),
        (request(parameters={"timeout": "1"}), "timeout"),
        (request(parameters={"timeout": -1}), "timeout"),
        (request(parameters={"binary_data_output": 1}), "binary_data_output"),
        (request(outputs=[{"name": "logits"}]), "no output 'logits'; there are probabilities, label, acc"),
        (request(outputs=[{"name": "label"}] * 2), "'label' is asked for more than once"),
        (request(outputs=[{"name": "label"}] * 17), "outputs"),
        (request(outputs=[{"name": "label", "parameters": {"classification": 2}}]), "not for 'label'"),
        (request(outputs=[{"name": "label", "parameters": {"classification": -1}}]), "classification"),
        (request(outputs=["label"]), "outputs"),
        (request(more=1), "unknown key 'more'"),
        (b'{"inputs": [], "\\ud800": 1}', "unable to parse raw data"),
        (b'{"inputs": [], "id": "\\ud800"}', "id"),
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadBody, match=message):
        parse_inference(body, None)


def test_bytes_behind_the_json_must_be_an_input_s() -> None:
    header = request()
    with pytest.raises(BadBody, match="1 bytes behind the JSON belong to no input"):
        parse_inference(header + b"x", len(header))
    with pytest.raises(BadBody, match="but the body has 5 bytes"):
        parse_inference(b"12345", 6)


def test_too_many_values_are_refused_before_they_are_parsed() -> None:
    with pytest.raises(RequestTooLarge, match="quotes, commas and brackets"):
        parse_inference(b'{"inputs": [' + b"0," * (MOST_JSON_MARKS + 1), None)


@given(st.binary(max_size=200), st.integers(0, 250) | st.none())
def test_whatever_comes_is_read_or_refused(body: bytes, json_bytes: int | None) -> None:
    with suppress(BadBody):
        parse_inference(body, json_bytes)


def test_an_error_does_not_repeat_what_a_client_made_up_at_any_length() -> None:
    with pytest.raises(BadBody) as refused:
        parse_inference(request(**{"x" * 1_000_000: 1}), None)
    assert len(str(refused.value)) < 1000
