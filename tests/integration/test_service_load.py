"""Under load: batches that mix tasks, overload, timeouts, clients that leave, and the end of it all.

One thread of torch needs a good part of a second for a full batch here, so that a request of many
pictures keeps the engine busy while the others of a test arrive.
"""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded
from tests.support.server import Serve, Server
from tests.support.waiting import wait_until

FLOOD_PICTURES = 192
FLOOD = "/v1/tasks/flood/classify?timeout_ms=60000"


@pytest.fixture(scope="module")
def server(module_store: Store, make_artifact: MakeArtifact, serve: Serve) -> Iterator[Server]:
    for seed, task in enumerate(("flood", "a", "b", "c")):
        module_store.publish(task, make_artifact(seed))
    limits = (f"--max-pictures-per-request={FLOOD_PICTURES}", "--max-queued-pictures=250", "--max-batch=32")
    with serve(module_store, *limits, "--half-closed-grace-s=0.05") as running:
        yield running


@pytest.fixture(scope="module")
def picture() -> bytes:
    return encoded(Image.radial_gradient("L").resize((16, 16)))


@pytest.fixture
def flood(server: Server, picture: bytes) -> Iterator[Future[httpx.Response]]:
    """A request that keeps the engine busy for several batches; it is queued when the test begins."""
    files = [("images", ("x", picture))] * FLOOD_PICTURES
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(httpx.post, f"{server.url}{FLOOD}", files=files, timeout=120)
        wait_until(lambda: server.metrics()["dvpt_queue_pictures"] > 0, "a queue")
        yield request
        assert request.result().status_code == 200
    wait_until(lambda: server.metrics()["dvpt_admitted_pictures"] == 0, "the last answer")


def refuses(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) != 0


def mixed_batches(metrics: dict[str, float]) -> float:
    """How many forward passes answered more than one task."""
    return metrics["dvpt_batch_tasks_count"] - metrics['dvpt_batch_tasks_bucket{le="1.0"}']


@pytest.mark.usefixtures("flood")
def test_one_forward_pass_answers_several_tasks(server: Server, picture: bytes) -> None:
    before = server.metrics()
    with ThreadPoolExecutor(3) as pool:
        answers = pool.map(
            lambda task: httpx.post(
                f"{server.url}/v1/tasks/{task}/classify?timeout_ms=60000", content=picture, timeout=120
            ).raise_for_status(),
            "abc",
        )
        assert [answer.json()["task"] for answer in answers] == ["a", "b", "c"]

    after = server.metrics()
    assert mixed_batches(after) > mixed_batches(before)


def test_overload_is_told_with_a_time_to_come_back(server: Server, picture: bytes) -> None:
    files = [("images", ("x", picture))] * FLOOD_PICTURES
    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):  # two such requests are too many, as soon as they meet
            requests = [
                pool.submit(httpx.post, f"{server.url}{FLOOD}", files=files, timeout=120) for _ in "ab"
            ]
            refused = [each.result() for each in requests if each.result().status_code != 200]
            if refused:
                break

    assert (refused[0].status_code, refused[0].json()["code"]) == (429, "overloaded")
    assert int(refused[0].headers["retry-after"]) >= 1


def test_a_timeout_is_kept(server: Server, flood: Future[httpx.Response], picture: bytes) -> None:
    files = [("images", ("x", picture))] * 20

    response = httpx.post(f"{server.url}/v1/tasks/a/classify?timeout_ms=1", files=files, timeout=120)

    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
    assert flood.result().status_code == 200
    assert 'dvpt_requests_total{code="deadline_exceeded",task="a"}' in server.metrics()


def test_a_client_that_leaves_is_not_answered(
    server: Server, flood: Future[httpx.Response], picture: bytes
) -> None:
    head = (
        f"POST /v1/tasks/b/classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        f"Content-Length: {len(picture)}\r\n\r\n"
    )
    gone, answered = 'dvpt_requests_total{code="client_gone",task="b"}', 'dvpt_pictures_total{task="b"}'
    before = server.metrics()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + picture)

    wait_until(lambda: server.metrics().get(gone, 0) == before.get(gone, 0) + 1, "the client to be gone")
    assert flood.result().status_code == 200
    assert server.metrics().get(answered, 0) == before.get(answered, 0)


def test_a_client_that_leaves_a_long_queue_frees_it(server: Server, picture: bytes) -> None:
    files = [("images", ("x", picture))] * FLOOD_PICTURES
    request = httpx.Request("POST", f"{server.url}{FLOOD}", files=files)
    body = request.read()
    head = f"POST {FLOOD} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Type: {request.headers['content-type']}\r\n\r\n"
    before = server.metrics()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + body)
        wait_until(lambda: server.metrics()["dvpt_queue_pictures"] > 0, "a queue")

    wait_until(lambda: server.metrics()["dvpt_admitted_pictures"] == 0, "the last answer")
    after = server.metrics()
    ran = after["dvpt_batch_pictures_sum"] - before["dvpt_batch_pictures_sum"]
    left = after["dvpt_pictures_left_queue_total"] - before["dvpt_pictures_left_queue_total"]
    assert left > 0
    assert ran + left <= FLOOD_PICTURES


def test_a_term_signal_finishes_what_is_admitted(
    empty_store: Store,
    make_artifact: MakeArtifact,
    serve: Serve,
    picture: bytes,
) -> None:
    empty_store.publish("a", make_artifact(1))
    files = [("images", ("x", picture))] * FLOOD_PICTURES
    flags = (f"--max-pictures-per-request={FLOOD_PICTURES}", "--max-batch=32")
    with serve(empty_store, *flags) as server, httpx.Client(base_url=server.url, timeout=120) as idle:
        idle.get("/readyz").raise_for_status()
        with ThreadPoolExecutor(1) as pool:
            admitted = pool.submit(httpx.post, f"{server.url}/v1/tasks/a/classify", files=files, timeout=120)
            wait_until(lambda: server.metrics()["dvpt_queue_pictures"] > 0, "a queue")
            server.process.send_signal(signal.SIGTERM)
            server.wait_logged(" draining ")
            wait_until(lambda: refuses(server.port), "the port to be closed")
            answer = admitted.result()

        assert answer.status_code == 200
        assert len(answer.json()["predictions"]) == FLOOD_PICTURES
        assert server.stop() == 0


def test_a_drain_that_takes_too_long_is_cut_with_a_problem(
    empty_store: Store,
    make_artifact: MakeArtifact,
    serve: Serve,
    picture: bytes,
) -> None:
    empty_store.publish("a", make_artifact(1))
    files = [("images", ("x", picture))] * 1000
    flags = ("--max-pictures-per-request=1000", "--max-batch=8", "--drain-timeout-s=1")
    with serve(empty_store, *flags) as server, ThreadPoolExecutor(1) as pool:
        url = f"{server.url}/v1/tasks/a/classify?timeout_ms=60000"
        admitted = pool.submit(httpx.post, url, files=files, timeout=120)
        wait_until(lambda: server.metrics()["dvpt_queue_pictures"] > 0, "a queue")
        code = server.stop()

    response = admitted.result()
    assert (response.status_code, response.json()["code"]) == (503, "draining")
    assert code == 0
