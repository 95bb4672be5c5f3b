"""HTTP as clients speak it, byte by byte: limits and deadlines, upgrades, half-closed connections, floods."""

import io
import json
import resource
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from adapters.store.artifact import Artifact
from adapters.store.store import Store

Serve = Callable[..., AbstractContextManager[Any]]
CLASSIFY = "/v1/tasks/digits/classify"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HEAD_BYTES = 65_536
GONE = 'dvpt_requests_total{code="client_gone",task="digits"}'


@pytest.fixture(scope="module")
def store(module_store: Store, make_artifact: Callable[..., Artifact]) -> Store:
    module_store.publish("digits", make_artifact(1))
    return module_store


@pytest.fixture(scope="module")
def server(store: Store, serve: Serve) -> Iterator[Any]:
    """Deadlines are short here; what a test must not run into is long."""
    deadlines = ("--head-timeout-s=1", "--keep-alive-s=1.5", "--send-timeout-s=0.5")
    limits = ("--max-request-bytes=2000000", "--max-picture-bytes=1000000", "--upload-timeout-ms=1000")
    with serve(store, *deadlines, *limits, "--half-closed-grace-s=20", "--max-batch=1") as running:
        yield running


@pytest.fixture(scope="module")
def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


class Answer:
    """One answer as it came."""

    def __init__(self, head: bytes, body: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self.body = body

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class Client:
    """A connection to the server."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._left = b""

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def answer(self, *, has_body: bool = True) -> Answer:
        while b"\r\n\r\n" not in self._left:
            self._left += self._more()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        found = Answer(head, b"")
        size = int(found.headers.get("content-length", 0)) if has_body else 0
        while len(self._left) < size:
            self._left += self._more()
        found.body, self._left = self._left[:size], self._left[size:]
        return found

    def ends(self) -> bool:
        """Whether the server closes now, in order, with nothing more to say."""
        return not self._left and self.socket.recv(1) == b""

    def _more(self) -> bytes:
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError(f"the server closed after {self._left!r}")
        return data


@contextmanager
def connect(server: Any, host: str = "127.0.0.1") -> Iterator[Client]:
    with socket.create_connection((host, server.port), timeout=30) as connection:
        yield Client(connection)


def exchange(server: Any, *parts: bytes) -> Answer:
    with connect(server) as client:
        client.send(*parts)
        return client.answer()


def post(body: bytes, *fields: str, path: str = CLASSIFY, declared: int | None = None) -> bytes:
    length = len(body) if declared is None else declared
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        "Content-Type: image/png",
        f"Content-Length: {length}",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes, path: str = CLASSIFY) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(chunks)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came true")


# Upgrades


@pytest.mark.parametrize(
    "fields",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAA"),
        ("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        ("Upgrade: TLS/1.0, HTTP/2.0", "Connection: keep-alive, Upgrade"),
    ],
)
def test_an_upgrade_is_ignored_and_its_body_is_not(
    fields: tuple[str, ...], server: Any, picture: bytes
) -> None:
    request = post(picture, *fields)
    for cut in (len(request), 40, request.index(b"\r\n\r\n") + 4, len(request) - 5):
        with connect(server) as client:
            client.send(request[:cut])
            client.send(request[cut:], GET)

            assert client.answer().status == 200, cut
            assert client.answer().status == 200, cut


def test_an_upgrade_keeps_what_else_the_connection_is_told(server: Any) -> None:
    with connect(server) as client:
        client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: close, upgrade\r\n\r\n")

        assert client.answer().closes
        assert client.ends()


def test_an_upgrade_with_a_body_in_chunks(server: Any, picture: bytes) -> None:
    request = chunked(b"%x\r\n" % len(picture), picture, b"\r\n0\r\n\r\n")
    request = request.replace(b"Host: x\r\n", b"Host: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n", 1)

    assert exchange(server, request).status == 200


def test_a_large_body_behind_an_upgrade(server: Any, picture: bytes) -> None:
    body = picture + bytes(600_000)

    assert exchange(server, post(body, "Connection: Upgrade", "Upgrade: h2c")).status == 200


def test_this_is_no_proxy_and_no_http_2(server: Any) -> None:
    connecting = exchange(server, b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
    preface = exchange(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30))

    assert (connecting.status, connecting.closes, connecting.headers["allow"]) == (
        405,
        True,
        "GET, HEAD, POST, OPTIONS",
    )
    assert (preface.status, preface.closes, preface.code) == (505, True, "http_version")
    assert exchange(server, b"GET / HTTP/2.0\r\nHost: x\r\n\r\n").status == 505


# Heads


def large_heads() -> dict[str, tuple[int, bytes]]:
    line, end = b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"\r\n\r\n"
    return {
        "one field": (431, line + b"X-A: " + b"a" * 4_000_000 + end),
        "fields": (431, line + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(4000)) + b"\r\n"),
        "small fields": (431, line + b"a:\r\n" * 500 + b"\r\n"),
        "a name": (431, line + b"a" * 4_000_000 + b": b" + end),
        "a URL": (414, b"GET /" + b"a" * 4_000_000 + b" HTTP/1.1\r\nHost: x" + end),
        "trailers": (431, chunked(b"1\r\na\r\n0\r\n", b"X-A: " + b"a" * 4_000_000 + end)),
        "many trailers": (431, chunked(b"1\r\na\r\n0\r\n", b"X-A: b\r\n" * 500_000)),
        "a chunk extension": (431, chunked(b"1;a=" + b"b" * 4_000_000 + b"\r\na\r\n0\r\n\r\n")),
        "chunk extensions": (431, chunked(b"1;a=bcdefghijklmnopqrstuv\r\na\r\n" * 150_000)),
    }


@pytest.mark.parametrize("what", list(large_heads()))
@pytest.mark.parametrize("piece", [10_000_000, 10_000])
@pytest.mark.parametrize("before", [b"", GET])
def test_heads_have_a_limit(what: str, piece: int, before: bytes, server: Any) -> None:
    status, head = large_heads()[what]
    with connect(server) as client:
        client.send(before)
        try:
            client.send(*(head[start : start + piece] for start in range(0, len(head), piece)))
        except ConnectionError:
            assert len(head) > 1_000_000  # the server listened for a while
        if before:
            assert client.answer().status == 200
        answer = client.answer()

        assert (answer.status, answer.closes) == (status, True)
        assert answer.code == ("url_too_long" if status == 414 else "head_too_large")


@pytest.mark.parametrize("piece", [1_000_000, 9_999])
@pytest.mark.parametrize(("size", "status"), [(HEAD_BYTES, 200), (HEAD_BYTES + 1, 431)])
def test_the_limit_is_exact(size: int, status: int, piece: int, server: Any) -> None:
    head = GET[:-2] + b"X-A: %s\r\n\r\n" % (b"a" * (size - len(GET) - 7))
    assert len(head) == size

    assert exchange(server, *(head[i : i + piece] for i in range(0, size, piece))).status == status


def test_the_memory_of_many_large_heads_is_bounded(server: Any) -> None:
    before = resident_bytes(server.process.pid)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(30)]
        for client in clients:
            with_many = GET[:-2] + b"X-A: " + b"a" * 3_000_000
            with suppress(ConnectionError):
                client.send(with_many)
        during = resident_bytes(server.process.pid)

    assert during - before < 30_000_000


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize()


# Requests that other readers would read otherwise


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400),
        (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (chunked(b"xyz\r\n"), 400),
        (chunked(b"-1\r\n"), 400),
        (chunked(b"f" * 20 + b"\r\n"), 400),
        (chunked(b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    ],
)
def test_doubtful_requests_are_refused_and_closed(request_bytes: bytes, status: int, server: Any) -> None:
    with connect(server) as client:
        client.send(request_bytes)
        answer = client.answer()

        assert (answer.status, answer.closes) == (status, True)
        assert answer.headers["content-type"] == "application/problem+json"
        assert client.ends()


def test_an_unreadable_request_waits_for_those_before_it(server: Any, picture: bytes) -> None:
    with connect(server) as client:
        client.send(post(picture) + GET + b"no HTTP\r\n\r\n")

        assert [client.answer().status for _ in range(3)] == [200, 200, 400]
        assert client.ends()


def test_so_does_a_broken_body(server: Any, picture: bytes) -> None:
    with connect(server) as client:
        client.send(post(picture) + chunked(b"xyz\r\n"))

        assert [client.answer().status for _ in range(2)] == [200, 400]
        assert client.ends()


@pytest.mark.parametrize("piece", [1_000_000, 1000, 77])
def test_a_long_pipeline_is_answered_in_its_order(piece: int, server: Any, picture: bytes) -> None:
    missing = GET.replace(b"healthz", b"nothing")
    sent = (GET * 60 + post(picture) + missing * 60 + chunked(b"1\r\na\r\n0\r\n\r\n")) * 5 + LAST
    with connect(server) as client:
        client.send(*(sent[start : start + piece] for start in range(0, len(sent), piece)))
        client.socket.shutdown(socket.SHUT_WR)
        statuses = [client.answer().status for _ in range(5 * 122 + 1)]

        assert statuses == ([200] * 60 + [200] + [404] * 60 + [422]) * 5 + [200]
        assert client.ends()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET http://example.org/healthz HTTP/1.1", 200),
        (b"GET http://example.org HTTP/1.1", 200),
        (b"GET http://example.org?a=b HTTP/1.1", 200),
        (b"OPTIONS * HTTP/1.1", 204),
        (b"GET /healthz#part HTTP/1.1", 200),
        (b"GET //healthz HTTP/1.1", 404),
    ],
)
def test_forms_of_a_target(line: bytes, status: int, server: Any) -> None:
    assert exchange(server, line + b"\r\nHost: x\r\n\r\n").status == status


@pytest.mark.parametrize("fields", [b"", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n"])
def test_http_1_0_is_answered_and_closed(fields: bytes, server: Any, picture: bytes) -> None:
    head = f"POST {CLASSIFY} HTTP/1.0\r\nContent-Length: {len(picture)}\r\n".encode()
    with connect(server) as client:
        client.send(head + fields + b"\r\n" + picture)
        answer = client.answer()

        assert (answer.status, answer.closes) == (200, True)
        assert client.ends()


# Deadlines


def test_a_silent_connection_is_closed(server: Any) -> None:
    with connect(server) as client:
        assert client.ends()
    with connect(server) as client:
        client.send(b"\r\n")  # some clients end a body with it, and it begins nothing
        assert client.ends()


@pytest.mark.parametrize("begun", [b"G", GET[:30], GET[:-2]])
def test_a_head_has_a_deadline(begun: bytes, server: Any) -> None:
    with connect(server) as client:
        client.send(begun)
        answer = client.answer()

        assert (answer.status, answer.code, answer.closes) == (408, "head_too_slow", True)
        assert client.ends()


def test_a_head_that_trickles_in_has_the_same_deadline(server: Any) -> None:
    with connect(server) as client:
        client.socket.settimeout(0.05)
        for byte in GET * 10:
            client.send(bytes([byte]))
            try:
                client._left += client.socket.recv(65_536)
                break
            except TimeoutError:
                continue

        client.socket.settimeout(30)
        assert client.answer().status == 408


def test_a_connection_is_kept_for_its_time(server: Any, crowded: Any) -> None:
    with connect(crowded) as client:
        client.send(GET)
        assert not client.answer().closes
        with connect(server) as other:
            other.send(GET)
            assert not other.answer().closes
            assert other.ends()
        client.send(GET)
        assert client.answer().status == 200


def test_answers_that_are_not_read_are_given_up(server: Any) -> None:
    before, rounds, at_once = server.metrics()["dvpt_connections"], 40, 30
    with connect(server) as client:
        with suppress(ConnectionError):
            for _ in range(rounds):  # far more than the buffers of both sides hold
                client.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * at_once)
                threading.Event().wait(0.02)

        wait_until(lambda: server.metrics()["dvpt_connections"] <= before)
        received = b""
        with suppress(ConnectionError):
            while data := client.socket.recv(1_000_000):
                received += data
    assert 0 < received.count(b"HTTP/1.1 200 ") < rounds * at_once
    assert b"HTTP/1.1 4" not in received


# Answers before the end of a body


def early(what: str) -> tuple[int, bytes]:
    """A request whose answer does not need its body."""
    return {
        "too large": (413, post(b"", declared=3_000_000)),
        "a wrong type": (415, post(b"", "Content-Encoding: br", declared=900_000)),
        "an unknown task": (404, post(b"", path="/v1/tasks/none/classify", declared=900_000)),
        "a wrong method": (405, post(b"", path="/healthz", declared=900_000)),
        "chunks": (404, chunked(b"8\r\nabcdefgh\r\n", path="/v1/tasks/none/classify")),
    }[what]


EARLY = ("too large", "a wrong type", "an unknown task", "a wrong method", "chunks")


@pytest.mark.parametrize("what", EARLY)
def test_an_early_answer_closes_the_connection(what: str, server: Any) -> None:
    status, head = early(what)
    with connect(server) as client:
        client.send(head)
        answer = client.answer()

        assert (answer.status, answer.closes) == (status, True)
        assert client.ends()


@pytest.mark.parametrize("what", EARLY[:-1])
def test_who_sends_all_before_it_reads_gets_the_answer(what: str, server: Any) -> None:
    status, head = early(what)
    with connect(server) as client:
        client.send(head)
        assert client.socket.recv(1, socket.MSG_PEEK)  # it is there, but not read
        for _ in range(30 if what == "too large" else 9):
            client.send(bytes(100_000))

        assert client.answer().status == status


@pytest.mark.parametrize("what", EARLY[:-1])
def test_a_refused_body_is_not_asked_for(what: str, server: Any) -> None:
    status, head = early(what)
    with connect(server) as client:
        client.send(head.replace(b"\r\n", b"\r\nExpect: 100-continue\r\n", 1))
        answer = client.answer()

        assert (answer.status, answer.closes) == (status, True)


def test_a_body_that_is_wanted_is_asked_for(server: Any, picture: bytes) -> None:
    with connect(server) as client:
        client.send(post(b"", "Expect: 100-Continue", declared=len(picture)))
        assert client.answer().status == 100
        client.send(picture)
        answer = client.answer()

        assert (answer.status, answer.closes) == (200, False)


def test_a_small_rest_is_read_and_the_connection_kept(server: Any) -> None:
    with connect(server) as client:
        client.send(post(b"", path="/v1/tasks/none/classify", declared=50_000))
        answer = client.answer()
        assert (answer.status, answer.closes) == (404, False)
        client.send(bytes(50_000), GET)

        assert client.answer().status == 200


def test_a_small_rest_that_never_comes_is_not_waited_for(server: Any) -> None:
    with connect(server) as client:
        client.send(post(b"", path="/v1/tasks/none/classify", declared=50_000))

        assert client.answer().status == 404
        assert client.ends()


def test_a_body_that_trickles_in_is_given_up_and_the_connection_closed(server: Any) -> None:
    with connect(server) as client:
        client.send(post(b"", declared=100_000))
        client.socket.settimeout(0.05)
        for _ in range(200):
            client.send(b"a")
            try:
                client._left += client.socket.recv(65_536)
                break
            except TimeoutError:
                continue
        client.socket.settimeout(30)
        answer = client.answer()

        assert (answer.status, answer.code, answer.closes) == (408, "upload_too_slow", True)
        assert client.ends()


# Half-closed connections


def test_a_client_that_only_closed_its_writing_side_is_answered(server: Any, picture: bytes) -> None:
    for request, statuses in ((post(picture), [200]), (GET + post(picture) + GET, [200, 200, 200])):
        with connect(server) as client:
            client.send(request)
            client.socket.shutdown(socket.SHUT_WR)

            assert [client.answer().status for _ in statuses] == statuses
            assert client.ends()


def test_a_request_that_ends_within_its_head_is_told(server: Any) -> None:
    with connect(server) as client:
        client.send(GET[:-2])
        client.socket.shutdown(socket.SHUT_WR)

        assert client.answer().status == 400
        assert client.ends()


def test_a_connection_that_asks_nothing_more_is_closed(server: Any) -> None:
    with connect(server) as client:
        client.send(GET)
        assert client.answer().status == 200
        client.socket.shutdown(socket.SHUT_WR)

        assert client.ends()


def long_request(picture: bytes) -> bytes:
    request = httpx.Request("POST", f"http://x{CLASSIFY}", files=[("images", ("x", picture))] * 64)
    body = request.read()
    return post(body).replace(b"image/png", request.headers["content-type"].encode(), 1)


def test_who_left_for_good_is_gone(server: Any, picture: bytes) -> None:
    before = server.metrics().get(GONE, 0)
    with connect(server) as client:  # a reset tells at once that nobody is there
        client.send(long_request(picture))
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    wait_until(lambda: server.metrics().get(GONE, 0) == before + 1)


def test_who_closed_its_writing_side_is_gone_after_the_grace(crowded: Any, picture: bytes) -> None:
    before = crowded.metrics().get(GONE, 0)
    with connect(crowded) as client:
        client.send(long_request(picture))
        client.socket.shutdown(socket.SHUT_WR)

        with pytest.raises((EOFError, ConnectionError)):
            client.answer()
    wait_until(lambda: crowded.metrics().get(GONE, 0) == before + 1)


# How many


@pytest.fixture(scope="module")
def crowded(store: Store, serve: Serve) -> Iterator[Any]:
    """Few descriptors, no patience, a prefix that a route has too, and both families."""
    flags = (
        "--half-closed-grace-s=0.05",
        "--max-batch=1",
        "--root-path=/v1",
        "--host=::",
        "--insecure",
        "--head-timeout-s=60",
    )
    with serve(store, *flags, "--root-path=/v1", "--host=::", "--insecure", open_files=256) as running:
        yield running


@pytest.mark.parametrize("begun", [b"", b"GET / HT", GET])
def test_waiting_connections_make_room_for_others(begun: bytes, crowded: Any, picture: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(400):
            client = stack.enter_context(connect(crowded))
            client.send(begun)
            if begun == GET:
                client.answer()

        for _ in range(5):
            assert httpx.get(f"{crowded.url}/healthz", timeout=5).status_code == 200
            assert httpx.post(f"{crowded.url}{CLASSIFY}", content=picture, timeout=5).status_code == 200
        assert 100 < crowded.metrics()["dvpt_connections"] <= 160


def test_where_all_are_busy_the_next_is_told(crowded: Any) -> None:
    with ExitStack() as stack:
        for _ in range(128):
            stack.enter_context(connect(crowded)).send(post(b"", declared=10))
        wait_until(lambda: told(crowded).status == 503)
        answer = told(crowded)

        assert (answer.code, answer.closes) == ("too_many_connections", True)
        assert int(answer.headers["retry-after"]) >= 1
        for _ in range(200):  # more than can be told at a time
            stack.enter_context(connect(crowded))
    wait_until(lambda: told(crowded).status == 200)


def told(server: Any) -> Answer:
    with connect(server) as client:
        client.send(LAST)
        return client.answer()


# Addresses, methods and prefixes


def test_both_families_are_listened_to(crowded: Any) -> None:
    for host in ("127.0.0.1", "::1"):
        with connect(crowded, host) as client:
            client.send(GET)
            assert client.answer().status == 200


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_a_prefix_that_begins_routes_may_be_stripped_or_left(
    prefix: str, crowded: Any, picture: bytes
) -> None:
    url = f"{crowded.url}{prefix}"

    assert httpx.post(f"{url}{CLASSIFY}", content=picture).status_code == 200
    for path in ("/v1/tasks", "/v1/tasks/digits", "/healthz", "/docs", "/openapi.json"):
        assert httpx.get(f"{url}{path}").status_code == 200, path
    assert 'src="static/docs.js"' in httpx.get(f"{url}/docs").text
    assert 'url: "openapi.json"' in httpx.get(f"{url}/static/docs.js").text
    assert httpx.get(f"{url}/openapi.json").json()["servers"] == [{"url": "/v1"}]
    assert httpx.get(f"{url}/v1").status_code == 404


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/v1/tasks/digits", "DELETE, GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
        (CLASSIFY, "OPTIONS, POST"),
    ],
)
def test_the_methods_of_a_path_are_told(path: str, allow: str, server: Any) -> None:
    refused = httpx.patch(f"{server.url}{path}")
    asked = httpx.options(f"{server.url}{path}")

    assert (refused.status_code, refused.headers["allow"]) == (405, allow)
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, allow, b"")
    if "HEAD" in allow:
        assert httpx.head(f"{server.url}{path}").status_code == 200


def test_nothing_of_all_this_was_a_fault_of_the_service(server: Any, crowded: Any) -> None:
    for each in (server, crowded):
        assert not [line for line in each.log if " ERROR " in line or "traceback" in line.lower()]
        assert not [name for name in each.metrics() if 'code="internal"' in name]
