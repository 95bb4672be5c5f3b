"""A real Ray Serve deployment of CPU replicas over one store, behind Ray's proxy: `make test-ray`.

The tests of one process run against a deployment too: pytest --ray tests/integration (docs/scale.md).
"""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import count, cycle
from threading import Event
from time import monotonic
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import Artifact, adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded
from tests.support.server import RAY_COMMAND, START_TIMEOUT_S, Serve, Server, Start
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: make test-ray sets it up"),
    pytest.mark.slow,
]
TASKS = ("a", "b", "c")
CLIENTS = 6
READY = re.compile(r"ServeReplica:dvpt:service pid=(\d+).* service\.lifecycle ready ")
ASKED = re.compile(r'dvpt_requests_total{code="ok",replica="(\w+)",task="(\w)"} (\S+)')
RETRY = {"replica_lost", "not_ready"}


class Load:
    """Clients that ask task after task until the block ends; what came back, by status and problem code."""

    def __init__(self, server: Server, picture: bytes) -> None:
        self.answers: list[httpx.Response] = []
        self._url, self._picture = server.url, picture
        self._ended, self._pool = Event(), ThreadPoolExecutor(CLIENTS)

    def __enter__(self) -> "Load":
        self._clients = [self._pool.submit(self._ask, number) for number in range(CLIENTS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._pool.shutdown()
        for client in self._clients:
            client.result()

    @property
    def failed(self) -> list[httpx.Response]:
        return [answer for answer in self.answers if answer.status_code != 200]

    def wait_for_more(self, answers: int) -> None:
        wanted = len(self.answers) + answers
        wait_until(lambda: len(self.answers) >= wanted, f"{answers} more answers")

    def _ask(self, first: int) -> None:
        tasks = cycle(TASKS[first % 3 :] + TASKS[: first % 3])
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._ended.is_set():
                self.answers.append(classify(client, next(tasks), self._picture))


def classify(client: httpx.Client, task: str, picture: bytes, query: str = "") -> httpx.Response:
    return client.post(f"/v1/tasks/{task}/classify{query}", content=picture)


def told(client: httpx.Client) -> dict[str, Any]:
    """What one replica says of how far all are with task a."""
    return dict(client.get("/v1/tasks/a").raise_for_status().json()["replicas"])


def probabilities(answer: dict[str, Any]) -> np.ndarray[Any, Any]:
    classes = answer["predictions"][0]["classes"]
    return np.array([each["probability"] for each in sorted(classes, key=lambda each: each["index"])])


def replicas(server: Server) -> list[int]:
    """The process ids of the replicas that have become ready, in that order, and still run."""
    ready = [int(found.group(1)) for line in list(server.log) if (found := READY.search(line))]
    return [process for process in dict.fromkeys(ready) if os.path.exists(f"/proc/{process}")]  # noqa: PTH110


@pytest.fixture(scope="module")
def picture() -> bytes:
    return encoded(Image.radial_gradient("L").resize((64, 64)))


@pytest.fixture(scope="module")
def artifacts(make_artifact: MakeArtifact) -> dict[str, Artifact]:
    return {task: make_artifact(seed) for seed, task in enumerate(TASKS)}


@pytest.fixture(scope="module")
def reference(
    artifacts: dict[str, Artifact], served_backbone: Backbone, picture: bytes
) -> dict[str, np.ndarray[Any, Any]]:
    """Each task's probabilities for the picture, computed here."""

    def alone(artifact: Artifact) -> np.ndarray[Any, Any]:
        pixels = to_pixels(picture, artifact.config.preprocess, served_backbone.config.image_size)
        logits = adapter_of(artifact, served_backbone.config)(served_backbone, pixels[None])
        return np.asarray(logits.softmax(-1)[0].numpy())

    return {task: alone(artifact) for task, artifact in artifacts.items()}


@pytest.fixture(scope="module")
def server(module_store: Store, artifacts: dict[str, Artifact], serve: Serve) -> Iterator[Server]:
    for task, artifact in artifacts.items():
        module_store.publish(task, artifact)
    with serve(module_store, "--workers=2", "--access-log", command=RAY_COMMAND) as running:
        wait_until(lambda: len(replicas(running)) == 2, "two replicas")
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as opened:
        yield opened


def test_both_replicas_answer_all_tasks_as_offline(
    server: Server, client: httpx.Client, reference: dict[str, np.ndarray[Any, Any]], picture: bytes
) -> None:
    with Load(server, picture) as load:
        load.wait_for_more(120)

    assert load.failed == []
    for answer in load.answers:
        body = answer.json()
        np.testing.assert_allclose(probabilities(body), reference[body["task"]], atol=1e-4)
    counts = ASKED.findall(client.get("/metrics").text)
    assert {task for _, task, _ in counts} == set(TASKS)
    assert len({replica for replica, _, _ in counts}) == 2
    assert sum(float(count) for _, _, count in counts) == len(load.answers)


def test_a_publish_under_load_reaches_both_and_fails_nobody(
    server: Server, client: httpx.Client, module_store: Store, make_artifact: MakeArtifact, picture: bytes
) -> None:
    assert told(client) == {"all": 2, "ready": 2, "serving": {"stable": {"1": 2}}}
    with Load(server, picture) as load:
        load.wait_for_more(20)
        version = module_store.publish("a", make_artifact(77))
        wait_until(lambda: told(client)["serving"] == {"stable": {str(version): 2}}, "both to have it")
        after = len(load.answers) + CLIENTS  # whose requests may have begun before
        load.wait_for_more(CLIENTS + 60)

    assert load.failed == []
    answered = {a.json()["version"] for a in load.answers[after:] if a.json()["task"] == "a"}
    assert answered == {version}


def test_a_killed_replica_fails_what_was_inside_and_is_replaced(server: Server, picture: bytes) -> None:
    killed, kept = replicas(server)
    with Load(server, picture) as load:
        load.wait_for_more(30)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: bool(set(replicas(server)) - {killed, kept}), "the killed replica's successor")
        load.wait_for_more(60)

    assert kept in replicas(server)
    assert 0 < len(load.failed) <= CLIENTS
    for answer in load.failed:
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in RETRY
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_an_answer_has_one_request_id_and_the_client_s_if_it_is_sane(
    client: httpx.Client, picture: bytes
) -> None:
    for given, kept in (("trace-1", True), ("not sane!", False)):
        for task in ("a", "nothing"):
            answer = client.post(
                f"/v1/tasks/{task}/classify", content=picture, headers={"x-request-id": given}
            )
            ids = answer.headers.get_list("x-request-id")
            assert len(ids) == 1
            assert (ids[0] == given) is kept


def test_the_proxy_s_own_timeout_is_a_problem(client: httpx.Client, picture: bytes) -> None:
    files = [("images", ("x", picture))] * 60
    headers = {"x-request-timeout-seconds": "0.01"}  # Ray's header

    answer = client.post("/v1/tasks/a/classify", files=files, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")


def test_a_client_that_leaves_is_told_as_gone_and_not_as_a_fault(server: Server, picture: bytes) -> None:
    files = [("images", ("x", picture))] * 64
    for number in count():
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/tasks/b/classify", files=files, timeout=httpx.Timeout(30, read=0.1))
        if any(" status=499 task=b " in line for line in server.log):
            break
        assert number < 20

    assert not [line for line in server.log if " code=draining" in line or " code=internal" in line]


def test_replicas_come_with_the_load_and_go_without_failing_a_request(
    empty_store: Store, make_artifact: MakeArtifact, serve: Serve, picture: bytes
) -> None:
    for seed, task in enumerate(TASKS):
        empty_store.publish(task, make_artifact(seed))
    many = [("images", ("x", picture))] * 64
    flags = ("--workers=1", "--most-replicas=2", "--max-batch=4")
    with serve(empty_store, *flags, command=RAY_COMMAND) as server:
        assert len(replicas(server)) == 1
        url = f"{server.url}/v1/tasks/a/classify?timeout_ms=60000"
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(httpx.post, url, files=many, timeout=120)]
            deadline = monotonic() + 120
            while len(replicas(server)) < 2:  # few requests of many pictures: Ray's own count would not scale
                answers = [*(a for a in answers if a.done()), *(a for a in answers if not a.done())]
                while sum(not a.done() for a in answers) < 4:
                    answers.append(pool.submit(httpx.post, url, files=many, timeout=120))
                assert monotonic() < deadline, "no second replica"
            both = replicas(server)
            with httpx.Client(base_url=server.url, timeout=60) as client:  # seldom enough for one replica
                while len(replicas(server)) == 2:
                    answers.append(pool.submit(classify, client, "b", picture))
                    answers[-1].result()
                    assert monotonic() < deadline + 60, "both replicas stay"
        assert len(set(replicas(server)) & set(both)) == 1
        assert {answer.result().status_code for answer in answers} == {200}


def test_proxies_that_others_reach_do_not_start_a_replica_without_keys(
    empty_store: Store, start: Start
) -> None:
    refused = start(empty_store, "--host=0.0.0.0", command=RAY_COMMAND)
    assert refused.process.wait(START_TIMEOUT_S) == 1
    refused.end()

    (said,) = [line for line in refused.log if line.startswith("adapters.errors.ConfigError: ")]
    assert "host 0.0.0.0 can be reached from elsewhere" in said
