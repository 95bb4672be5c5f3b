"""What no client should send, and what curl sends, over real HTTP; the server answers on."""

import base64
import gzip
import json
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adapters.store.artifact import Artifact
from tests.support.pictures import plain_png
from tests.support.server import Server

LENGTH = "Inference-Header-Content-Length"
PICTURE = plain_png(200)
TEXT = base64.b64encode(PICTURE).decode()
COUNT = 3 * 64 * 64


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def image(datatype: str, shape: list[int], **more: Any) -> dict[str, Any]:
    return {"name": "image", "datatype": datatype, "shape": shape, **more}


def infer(client: httpx.Client, request: object, behind: bytes = b"", **headers: str) -> httpx.Response:
    content = json.dumps(request).encode()
    if behind:
        headers = {LENGTH: str(len(content)), **headers}
    return client.post("/v2/models/flowers/infer", content=content + behind, headers=headers)


def probabilities(response: httpx.Response) -> list[float]:
    [output] = response.raise_for_status().json()["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probabilities", "FP32", [1, 5])
    return [float(each) for each in output["data"]]


def test_one_picture_by_curl(client: httpx.Client) -> None:
    """As JSON with base64, and as Triton's raw request: the file itself, with a header of no length."""
    text = infer(client, {"inputs": [image("BYTES", [1], data=[TEXT])], "id": "a"})
    raw = client.post("/v2/models/flowers/versions/stable/infer", content=PICTURE, headers={LENGTH: "0"})

    assert text.headers["content-type"] == "application/json"
    assert {"id": "a", "model_name": "flowers", "model_version": "1"}.items() <= text.json().items()
    assert "id" not in raw.json()
    np.testing.assert_allclose(probabilities(raw), probabilities(text), atol=1e-4)
    assert sum(probabilities(raw)) == pytest.approx(1, abs=1e-4)


def test_binary_answers_have_their_length(client: httpx.Client, artifact: Artifact) -> None:
    outputs = [
        {"name": "label", "parameters": {"binary_data": True}},
        {"name": "probabilities", "parameters": {"binary_data": True}},
    ]
    answer = infer(client, {"inputs": [image("BYTES", [1], data=[TEXT])], "outputs": outputs})

    assert answer.headers["content-type"] == "application/octet-stream"
    at = int(answer.headers[LENGTH])
    told, behind = json.loads(answer.content[:at]), answer.content[at:]
    sizes = [output["parameters"]["binary_data_size"] for output in told["outputs"]]
    assert sum(sizes) == len(behind)
    row = struct.unpack("<5f", behind[sizes[0] :])
    label = artifact.config.classes[row.index(max(row))].encode()
    assert behind[: sizes[0]] == struct.pack("<I", len(label)) + label


def test_a_compressed_body(client: httpx.Client) -> None:
    content = gzip.compress(json.dumps({"inputs": [image("BYTES", [1], data=[TEXT])]}).encode())
    packed = client.post("/v2/models/flowers/infer", content=content, headers={"content-encoding": "gzip"})
    assert probabilities(packed)


def test_a_large_json_body(
    client: httpx.Client, pixels: NDArray[np.uint8], expected: NDArray[np.float32]
) -> None:
    answer = infer(client, {"inputs": [image("UINT8", list(pixels.shape), data=pixels.tolist())]})
    [output] = answer.raise_for_status().json()["outputs"]
    np.testing.assert_allclose(np.reshape(output["data"], output["shape"]), expected, atol=1e-4)


TENSOR = image("UINT8", [1, 3, 64, 64], parameters={"binary_data_size": COUNT})
GOOD = image("BYTES", [1], data=[TEXT])


def pixels_of(datatype: str, shape: list[int], *values: float) -> dict[str, Any]:
    """A request with as many values as one picture has, or those."""
    return {
        "inputs": [image(datatype, shape, data=[values[0]] * COUNT if len(values) == 1 else list(values))]
    }


def pictures_of(*texts: str) -> dict[str, Any]:
    return {"inputs": [image("BYTES", [len(texts)], data=list(texts))]}


KEYS = ["name", "data", "binary_data_size", "timeout", "classification", "binary_data", "parameters", "x"]
SHAPE, MANY = [1, 3, 64, 64], 1_100_000


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        (pixels_of("INT64", SHAPE, 0), 400, "datatype 'INT64'"),
        (pixels_of("UINT8", [2, 3, 64, 64], 0), 400, "24576 values; the data has"),
        (pixels_of("UINT8", [-1, 3, 64, 64], 0), 400, "inputs.0.shape.0"),
        (pixels_of("UINT8", [65, 3, 64, 64], 0, 0), 413, "65 pictures; a request may have 64"),
        (pixels_of("FP32", SHAPE, float("nan")), 400, "not finite"),
        (pixels_of("FP32", SHAPE, 200.0), 400, "mean"),
        (pixels_of("UINT8", SHAPE, *[0] * MANY), 400, "the data has more"),
        ({"inputs": [GOOD], "outputs": [{}] * MANY}, 413, "quotes, commas and brackets"),
        ({"inputs": [GOOD, GOOD]}, 400, "the request has 2"),
        ({"inputs": [GOOD], "outputs": [{"name": "logits"}]}, 400, "no output 'logits'"),
        ({"inputs": [GOOD], "outputs": [{"name": "accepted"}]}, 400, "version 1 has no thresholds"),
        (pictures_of("ÿØ"), 400, "base64"),
        (pictures_of("aGVsbG8="), 422, "picture 0: "),
        (pictures_of(TEXT, "aGVsbG8="), 422, "picture 1: "),
        (pictures_of(""), 400, "no picture"),
        (pictures_of("A" * 44_000_000), 413, "a picture may have 32000000"),
        ({"inputs": [GOOD], "\ud800": 1}, 400, "malformed"),
        ([GOOD], 400, "must be a JSON object"),
    ],
)
def test_what_is_refused(client: httpx.Client, given: object, status: int, message: str) -> None:
    check_refused(client, infer(client, given), status, message)


@pytest.mark.parametrize(
    ("given", "behind", "headers", "status", "message"),
    [
        (TENSOR, bytes(COUNT - 1), {}, 400, f"says {COUNT} bytes; behind the JSON are {COUNT - 1}"),
        (TENSOR, bytes(COUNT), {LENGTH: "999999999"}, 400, "but the body has"),
        (TENSOR, bytes(COUNT), {LENGTH: "10"}, 400, "not JSON"),
        (TENSOR, bytes(COUNT), {LENGTH: "-1"}, 400, "must be a number of bytes"),
        (GOOD, b"more", {}, 400, "4 bytes behind the JSON belong to no input"),
        (GOOD, b"", {"content-encoding": "br"}, 415, "content coding 'br'"),
        (GOOD, b"", {"content-encoding": "gzip"}, 400, "gzip"),
    ],
)
def test_bodies_that_lie_are_refused(
    client: httpx.Client,
    given: dict[str, Any],
    behind: bytes,
    headers: dict[str, str],
    status: int,
    message: str,
) -> None:
    check_refused(client, infer(client, {"inputs": [given]}, behind, **headers), status, message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {
        "inputs": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.just("image") | JSON,
                    "datatype": st.sampled_from(["BYTES", "UINT8", "FP32"]) | JSON,
                    "shape": st.lists(st.integers(1, 64), min_size=1, max_size=4) | JSON,
                },
                optional={"data": st.just([TEXT]) | JSON, "parameters": JSON},
            ),
            min_size=1,
            max_size=2,
        )
    },
    optional={"id": JSON, "parameters": JSON, "outputs": JSON},
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=REQUESTS | JSON, behind=st.binary(max_size=20), length=st.none() | st.integers(-1, 200))
def test_nothing_that_a_client_makes_up_is_a_fault_of_the_service(
    client: httpx.Client, request: object, behind: bytes, length: int | None
) -> None:
    headers = {} if length is None else {LENGTH: str(length)}
    answer = client.post(
        "/v2/models/flowers/infer", content=json.dumps(request).encode() + behind, headers=headers
    )
    assert answer.status_code in (200, 400, 413, 415, 422), answer.text
    assert answer.status_code == 200 or answer.json()["error"]


def check_refused(client: httpx.Client, refused: httpx.Response, status: int, message: str) -> None:
    """As these clients read it, and the server answers on."""
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/json")
    assert message in refused.json()["error"]
    assert refused.json()["code"]
    assert probabilities(infer(client, {"inputs": [GOOD]}))


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v2/models/none/infer", 404, "task_not_found"),
        ("POST", "/v2/models/flowers/versions/9/infer", 404, "version_not_found"),
        ("POST", "/v2/models/flowers/versions/canary/infer", 404, "label_not_found"),
        ("POST", "/v2/models/flowers/versions/0/infer", 400, "bad_query"),
        ("POST", "/v2/models/flowers/versions/-1/infer", 400, "invalid_name"),
        ("GET", "/v2/models/flowers/infer", 405, "method_not_allowed"),
        ("GET", "/v2/models/flowers/versions/9", 404, "version_not_found"),
        ("GET", "/v2/models/none/config", 404, "task_not_found"),
        ("GET", "/v2/models/none/stats", 404, "task_not_found"),
        ("GET", "/v2/models/flowers/versions/9/ready", 404, "version_not_found"),
        ("GET", "/v2/systemsharedmemory/status", 404, "not_found"),
        ("GET", "/v2/", 404, "not_found"),
        ("POST", "/v2/repository/models/none/load", 404, "task_not_found"),
        ("POST", "/v2/repository/models/none/unload", 404, "task_not_found"),
        ("GET", "/v2/repository/index", 405, "method_not_allowed"),
    ],
)  # fmt: skip
def test_other_paths_have_errors_that_these_clients_read(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    content = json.dumps({"inputs": [GOOD]}) if path.endswith("/infer") else ""
    answer = client.request(method, path, content=content)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["error"] == answer.json()["detail"]
    assert answer.headers["content-type"] == "application/json"


def test_errors_of_version_1_are_problems_as_before(client: httpx.Client) -> None:
    answer = client.get("/v1/tasks/none")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "error" not in answer.json()


def test_the_index_may_be_of_what_is_in_memory(client: httpx.Client) -> None:
    client.post("/v2/repository/models/flowers/unload").raise_for_status()
    assert client.post("/v2/repository/index", json={"ready": True}).json() == []
    every = client.post("/v2/repository/index").json()
    assert every == [{"name": "flowers", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"}]
    client.post("/v2/repository/models/flowers/load", content=b"{}").raise_for_status()
    ready = client.post("/v2/repository/index", content=b'{"ready": true}').json()
    assert ready == [{"name": "flowers", "version": "1", "state": "READY", "reason": ""}]
    (version,) = client.get("/v1/tasks/flowers").json()["versions"]
    assert (version["version"], version["place"]) == (1, "slot")
    refused = client.post("/v2/repository/index", json={"redy": True})
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "the body is malformed: unknown key 'redy'",
    )
    long = client.post("/v2/repository/index", content=b" " * 65_537)
    assert (long.status_code, long.json()["code"]) == (413, "request_too_large")
