"""From a body's first byte to the batch queue: memory and threads are shared, and dialects are read."""

import base64
import gzip
import io
import json
import re
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from adapters.store.artifact import Artifact
from adapters.store.store import Store

CLASSIFY = "/v1/tasks/a/classify"
BODY_BYTES_HELD = 4_000_000
REQUEST_BYTES = 2_000_000
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def server(
    module_store: Store,
    make_artifact: Callable[..., Artifact],
    serve: Callable[..., AbstractContextManager[Any]],
) -> Iterator[Any]:
    for seed, task in enumerate(("a", "b", "flood")):
        module_store.publish(task, make_artifact(seed))
    limits = (f"--max-request-bytes={REQUEST_BYTES}", "--max-picture-bytes=1500000")
    held = f"--max-body-bytes-held={BODY_BYTES_HELD}"
    with serve(module_store, *limits, held, "--decode-threads=1", "--max-pictures-per-request=8") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made


def encoded(kind: str, size: tuple[int, int] = (32, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


PNG = encoded("PNG")
TEXT = base64.b64encode(PNG).decode()


@pytest.fixture(scope="module")
def expected(client: httpx.Client) -> Any:
    """What the picture is answered; in a batch of another size the last digits may differ."""
    return pytest.approx(probabilities(client.post(CLASSIFY, content=PNG))[0], rel=1e-3)


def probabilities(response: httpx.Response) -> list[dict[str, float]]:
    """Of each picture, by class."""
    predictions = response.raise_for_status().json()["predictions"]
    return [{one["label"]: one["probability"] for one in each["classes"]} for each in predictions]


def check(response: httpx.Response, status: int, code: str) -> str:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    return str(problem["detail"])


def head_of(task: str, *headers: str) -> bytes:
    lines = [f"POST /v1/tasks/{task}/classify HTTP/1.1", "Host: x", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(connection: socket.socket) -> bytes:
    """A whole answer: its head tells the length of its body."""
    received = b""
    while True:
        received += connection.recv(65_536)
        head, _, body = received.partition(b"\r\n\r\n")
        if (length := re.search(rb"content-length: (\d+)", head)) and len(body) >= int(length.group(1)):
            return received


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came true")


def held_bytes(server: Any) -> int:
    return int(server.metrics()["dvpt_body_bytes"])


@pytest.fixture
def upload(server: Any) -> Iterator[Callable[..., socket.socket]]:
    """`upload(task, size)` begins an upload of 2 MB, of which only so many bytes come."""
    with ExitStack() as stack:

        def begin(
            task: str, size: int, chunked: bool = False, announced: int = REQUEST_BYTES
        ) -> socket.socket:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            if chunked:
                connection.sendall(head_of(task, "Transfer-Encoding: chunked"))
                connection.sendall(b"%x\r\n" % size + PNG[:8] + bytes(size - 8) + b"\r\n")
            else:
                connection.sendall(head_of(task, f"Content-Length: {announced}"))
                connection.sendall((PNG[:8] + bytes(max(0, size - 8)))[:size])
            return connection

        yield begin
    wait_until(lambda: held_bytes(server) == 0)


def test_uploads_that_send_nothing_hold_nothing(
    server: Any, client: httpx.Client, upload: Callable[..., socket.socket]
) -> None:
    for _ in range(25):
        upload("flood", 0)

    client.post(CLASSIFY, content=PNG).raise_for_status()
    assert held_bytes(server) == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_share_one_budget_and_a_flood_leaves_room_for_others(
    chunked: bool, server: Any, client: httpx.Client, upload: Callable[..., socket.socket]
) -> None:
    first = [upload("flood", 900_000, chunked) for _ in range(2)]
    wait_until(lambda: held_bytes(server) >= 1_800_000)
    refused = answer(upload("flood", 900_000, chunked))

    assert refused.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 1\r\n" in refused
    assert b'"overloaded"' in refused
    assert b"task 'flood' has" in refused
    assert held_bytes(server) <= BODY_BYTES_HELD // 2 + 65_536
    client.post(CLASSIFY, content=PNG).raise_for_status()
    for connection in first:
        connection.close()
    wait_until(lambda: held_bytes(server) == 0)
    client.post("/v1/tasks/flood/classify", content=PNG).raise_for_status()


def test_a_body_that_could_never_fit_is_refused_before_it_comes(
    server: Any, upload: Callable[..., socket.socket]
) -> None:
    assert answer(upload("a", 0, announced=REQUEST_BYTES + 1)).startswith(b"HTTP/1.1 413 ")
    for task in ("b", "flood"):
        upload(task, 1_300_000)
    wait_until(lambda: held_bytes(server) == 2_600_000)

    refused = answer(upload("a", 0))
    assert refused.startswith(b"HTTP/1.1 429 ")


def test_whatever_becomes_of_a_request_its_bytes_are_given_back(server: Any, client: httpx.Client) -> None:
    for content, headers in (
        (PNG, {}),
        (b"\xff\xd8\xff damaged", {}),
        (b"x" * 1_600_000, {}),
        (b'{"images": [1]}', {"content-type": "application/json"}),
        (b"--b", {"content-type": "multipart/form-data; boundary=b"}),
        (b"nonsense", {"content-type": "text/plain"}),
        (gzip.compress(PNG)[:-4], {"content-encoding": "gzip"}),
    ):
        client.post(CLASSIFY, content=content, headers=headers)
        client.post(f"{CLASSIFY}?version=99", content=content, headers=headers)
        client.post(f"{CLASSIFY}?timeout_ms=1", content=content, headers=headers)

    assert held_bytes(server) == 0
    assert server.metrics()["dvpt_admitted_pictures"] == 0


@pytest.fixture(scope="module")
def large() -> bytes:
    """A picture of 12 megapixels in few bytes."""
    values = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).resize((4000, 3000), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def test_one_task_s_large_pictures_do_not_hold_up_another_s_small_one(
    server: Any, client: httpx.Client, large: bytes
) -> None:
    url = "/v1/tasks/flood/classify?timeout_ms=60000"
    request = httpx.Request("POST", f"http://x{url}", files=[("images", ("x", large))] * 8)
    lines = [f"POST {url} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    flood = "\r\n".join([*lines, "", ""]).encode() + request.read()
    with ExitStack() as stack:
        for _ in range(4):
            address = ("127.0.0.1", server.port)
            stack.enter_context(socket.create_connection(address, timeout=60)).sendall(flood)
        wait_until(lambda: server.metrics()["dvpt_decodes_waiting"] >= 16)
        assert server.metrics()["dvpt_decodes_running"] <= 1

        client.post(CLASSIFY, content=PNG).raise_for_status()
        # In order of arrival none would be left.
        assert server.metrics()["dvpt_decodes_waiting"] > 0

    wait_until(lambda: server.metrics()["dvpt_decodes_waiting"] == 0)
    decoded = server.metrics()["dvpt_decode_seconds_count"]
    wait_until(lambda: server.metrics()["dvpt_decodes_running"] == 0)
    assert server.metrics()["dvpt_decode_seconds_count"] == decoded  # nothing goes on in their name


@pytest.mark.parametrize(
    "content_type",
    [
        "binary/octet-stream",
        FORM,
        "image/jpg",
        "image/pgn",
        "Image/JPEG",
        "text/plain",
        "img/png",
        "*/*",
        None,
    ],
)
def test_pictures_are_read_by_content_whatever_their_type(
    content_type: str | None, client: httpx.Client, expected: Any
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    response = client.post(CLASSIFY, content=PNG, headers=headers)

    assert probabilities(response) == [expected]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "says"),
    [
        (b"nonsense", FORM, 415, "media_type", "--data-binary"),
        (b"nonsense", "text/html", 415, "media_type", "'text/html' is not read"),
        (encoded("JPEG").translate(None, b"\0\r\n"), FORM, 400, "bad_body", "--data-binary"),
        (b"nonsense", "binary/octet-stream", 422, "picture_damaged", "no picture"),
        (b"", FORM, 400, "no_picture", "empty"),
        (b"x" * 1_600_000, "image/png", 413, "request_too_large", "a picture may have 1500000"),
    ],
)
def test_what_is_no_picture_is_told_what_to_do(
    body: bytes, content_type: str, status: int, code: str, says: str, client: httpx.Client
) -> None:
    response = client.post(CLASSIFY, content=body, headers={"content-type": content_type})

    assert says in check(response, status, code)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("="),
        "\r\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)),
        base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        f"data:image/png;base64,{TEXT}",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", FORM])
def test_base64_and_json_in_every_dialect(
    text: str, encoding: str, content_type: str, client: httpx.Client, expected: Any
) -> None:
    body = json.dumps({"images": [text, text]}).encode(encoding)
    response = client.post(CLASSIFY, content=body, headers={"content-type": content_type})

    assert probabilities(response) == [expected] * 2


@pytest.mark.parametrize("name", ["images", "image", "file", "files", "images[]", "images[0]"])
def test_parts_by_the_names_that_clients_give(name: str, client: httpx.Client, expected: Any) -> None:
    response = client.post(CLASSIFY, files=[(name, ("x.png", PNG))])

    assert probabilities(response) == [expected]


def test_a_part_in_base64(client: httpx.Client, expected: Any) -> None:
    files = [("images", ("x.png", TEXT, "image/png", {"Content-Transfer-Encoding": "base64"}))]

    assert probabilities(client.post(CLASSIFY, files=files)) == [expected]


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies_are_read(
    coding: str, compress: Callable[[bytes], bytes], client: httpx.Client, expected: Any
) -> None:
    json_body = json.dumps({"images": [TEXT]}).encode()
    headers = {"content-encoding": coding}
    for body, content_type in ((PNG, "image/png"), (json_body, "application/json")):
        response = client.post(
            CLASSIFY, content=compress(body), headers={**headers, "content-type": content_type}
        )
        assert probabilities(response) == [expected]


def test_a_bomb_and_a_coding_that_is_not_read(server: Any, client: httpx.Client) -> None:
    bomb = gzip.compress(bytes(400_000_000), 6)
    response = client.post(CLASSIFY, content=bomb, headers={"content-encoding": "gzip"})

    assert "2000000" in check(response, 413, "request_too_large")
    response = client.post(CLASSIFY, content=PNG, headers={"content-encoding": "br"})
    assert "one of gzip, deflate" in check(response, 415, "media_type")
    assert response.headers["accept-encoding"] == "gzip, deflate"
    assert held_bytes(server) == 0


@pytest.mark.parametrize("value", ["{}", "[]", '""', "0", '{"a":1}'])
def test_values_without_end_are_refused_before_they_are_parsed(value: str, client: httpx.Client) -> None:
    body = '{"images": [' + ",".join([value] * 200_000) + "]}"
    response = client.post(CLASSIFY, content=body, headers={"content-type": "application/json"})

    assert "more quotes, commas and brackets" in check(response, 413, "request_too_large")


def test_parts_without_end_stop_at_the_first_too_many(client: httpx.Client) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="images"\r\n\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = client.post(CLASSIFY, content=part * 30_000 + b"--b--\r\n", headers=headers)

    assert "more parts than the 8 pictures" in check(response, 413, "request_too_large")


def test_nothing_of_all_this_was_a_fault_of_the_service(server: Any, client: httpx.Client) -> None:
    client.get("/healthz").raise_for_status()

    assert not [line for line in server.log if " ERROR " in line or "traceback" in line.lower()]
    assert not [name for name in server.metrics() if 'code="internal"' in name]
