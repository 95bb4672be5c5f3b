"""Malformed requests: each gets its own problem, and nothing ever gets a traceback or a 500."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded
from tests.support.server import Serve, Server

CLASSIFY = "/v1/tasks/digits/classify"


@pytest.fixture(scope="module")
def server(
    module_store: Store,
    make_artifact: MakeArtifact,
    serve: Serve,
) -> Iterator[Server]:
    for seed in (1, 2):
        module_store.publish("digits", make_artifact(seed))
    limits = ("--max-request-bytes=300000", "--max-picture-bytes=200000", "--max-pictures-per-request=3")
    timeouts = ("--max-timeout-ms=20000", "--upload-timeout-ms=1500")
    with serve(module_store, *limits, *timeouts, "--root-path=/vision") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def picture() -> bytes:
    return encoded(Image.new("RGB", (8, 8), "red"))


def check(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert {"type", "title", "status", "detail", "code"} <= set(problem)
    return problem


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("top_k=0", 400, "bad_query"),
        ("top_k=many", 400, "bad_query"),
        ("timeout_ms=20001", 400, "bad_query"),
        ("version=1&label=stable", 400, "bad_query"),
        ("verison=1", 400, "bad_query"),
        ("version=9", 404, "version_not_found"),
        ("label=canary", 404, "label_not_found"),
        ("version=1", 200, ""),
        ("label=stable", 200, ""),
    ],
)
def test_queries(query: str, status: int, code: str, client: httpx.Client, picture: bytes) -> None:
    response = client.post(f"{CLASSIFY}?{query}", content=picture)

    if status == 200:
        response.raise_for_status()
    else:
        check(response, status, code)


def test_a_version_may_be_asked_for(client: httpx.Client, picture: bytes) -> None:
    versions = [client.post(f"{CLASSIFY}?version={n}", content=picture).json()["version"] for n in (1, 2, 1)]

    assert versions == [1, 2, 1]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", "image/png", 400, "no_picture"),
        (b"{}", "application/json", 400, "bad_body"),
        (b'{"images": []}', "application/json", 400, "no_picture"),
        (b'{"images": ["@"]}', "application/json", 400, "bad_body"),
        (b"[" * 100_000, "application/json", 400, "bad_body"),
        (b"x", "multipart/form-data", 400, "bad_body"),
        (b"x", "multipart/form-data; boundary=" + "b" * 300, 400, "bad_body"),
        (b"--b\r\nContent-Disp", "multipart/form-data; boundary=b", 400, "bad_body"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "media_type"),
        (b"x", "image/heic", 415, "media_type"),
        (b"x", "text/html", 415, "media_type"),
        (b"x" * 300_001, "image/png", 413, "request_too_large"),
        (b"x" * 200_001, "image/png", 413, "request_too_large"),
    ],
)
def test_bodies(body: bytes, content_type: str, status: int, code: str, client: httpx.Client) -> None:
    check(client.post(CLASSIFY, content=body, headers={"content-type": content_type}), status, code)


def test_more_pictures_than_allowed(client: httpx.Client, picture: bytes) -> None:
    files = [("images", ("x", picture))] * 4

    assert (
        "than the 3 pictures" in check(client.post(CLASSIFY, files=files), 413, "request_too_large")["detail"]
    )


def test_a_body_compressed_as_nobody_reads_it_is_refused(client: httpx.Client, picture: bytes) -> None:
    check(client.post(CLASSIFY, content=picture, headers={"content-encoding": "br"}), 415, "media_type")


def test_a_chunked_body_is_limited_on_its_way(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 50_000

    check(client.post(CLASSIFY, content=endless()), 413, "request_too_large")


@pytest.mark.parametrize(
    "task",
    ["none", "Digits", "digits%2F1", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%00", "a" * 5000, "ä", "%ff"],
)
def test_unknown_tasks_are_told_which_there_are(task: str, client: httpx.Client, picture: bytes) -> None:
    for response in (
        client.post(f"/v1/tasks/{task}/classify", content=picture),
        client.get(f"/v1/tasks/{task}"),
    ):
        problem = response.json()
        assert response.status_code == 404
        assert problem["code"] in ("task_not_found", "not_found")
        if problem["code"] == "task_not_found":
            assert problem["tasks"] == ["digits"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/tasks/", 404, "not_found"),
        ("GET", CLASSIFY, 405, "method_not_allowed"),
        ("DELETE", "/v1/tasks", 405, "method_not_allowed"),
        ("POST", "/metrics", 405, "method_not_allowed"),
        ("BREW", "/healthz", 400, "bad_request"),
        ("PATCH", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_paths_and_methods(method: str, path: str, status: int, code: str, client: httpx.Client) -> None:
    response = client.request(method, path)

    check(response, status, code)
    if status == 405:
        assert response.headers["allow"]


def test_health_is_told_to_head_as_well(client: httpx.Client) -> None:
    response = client.head("/healthz")

    assert (response.status_code, response.content) == (200, b"")


def test_the_root_is_the_page(client: httpx.Client) -> None:
    for root in ("/", "/vision/"):  # a proxy may strip its prefix, or leave it in place
        page = client.get(root)

        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert client.get(f"{root}static/page.js").status_code == 200


def test_a_proxy_s_prefix_stands_in_the_documentation(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json()["servers"] == [{"url": "/vision"}]
    assert "/vision/" not in client.get("/docs").text  # every address there is relative


def test_a_proxy_may_leave_its_prefix_in_place(client: httpx.Client) -> None:
    assert client.get("/vision/v1/tasks").status_code == 200


def exchange(port: int, *sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for data in sent:
            connection.sendall(data)
        received = b""
        while data := connection.recv(65_536):
            received += data
        return received


@pytest.mark.parametrize(
    "sent",
    [
        b"no HTTP at all\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"POST /v1/tasks/digits/classify HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\n",
        b"POST /v1/tasks/digits/classify HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_bytes_that_are_no_http_get_a_problem(sent: bytes, server: Server) -> None:
    head, _, body = exchange(server.port, sent).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "bad_request"


def test_a_body_that_never_comes_is_given_up(server: Server) -> None:
    head = f"POST {CLASSIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"

    answer = exchange(server.port, head.encode(), b"abc")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"upload_too_slow" in answer


def test_nothing_of_all_this_was_a_fault_of_the_service(server: Server, client: httpx.Client) -> None:
    client.get("/healthz").raise_for_status()

    assert not [line for line in server.log if " ERROR " in line or "traceback" in line.lower()]
    assert not [name for name in server.metrics() if 'code="internal"' in name]
