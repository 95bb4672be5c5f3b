"""`dvpt-serve --workers 2`: two real processes on one address, and what becomes of requests when one ends."""

import itertools
import os
import re
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import Artifact, adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded, noise
from tests.support.server import Serve, Server, Start
from tests.support.waiting import wait_until

PICTURE = encoded(noise(1, (80, 60)), "PNG")
CLASSIFY = "/v1/tasks/digits/classify"
STARTED = re.compile(r"worker_started worker=(\d+) process=(\d+)")
CLIENTS = 6


@pytest.fixture(scope="module")
def artifacts(make_artifact: MakeArtifact) -> list[Artifact]:
    return [make_artifact(seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def server(module_store: Store, artifacts: list[Artifact], serve: Serve) -> Iterator[Server]:
    module_store.publish("digits", artifacts[0])
    with serve(module_store, "--workers=2", "--access-log", "--log-level=debug", ready=False) as running:
        running.wait_logged(r"INFO service.workers ready workers=2")
        yield running


class Load:
    """Clients that ask on and on, each on a connection that it keeps for a while, until the block ends."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        self.answers: list[httpx.Response] = []
        self.failures: list[httpx.TransportError] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.answers) > CLIENTS, "answers")
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def codes(self) -> Counter[int]:
        return Counter(answer.status_code for answer in self.answers)

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            for last in itertools.cycle([False] * 4 + [True]):
                if self._end.is_set():
                    return
                headers = {"connection": "close"} if last else {}
                try:
                    self.answers.append(client.post(CLASSIFY, content=PICTURE, headers=headers))
                except httpx.ConnectError:
                    return  # it listens no more
                except httpx.TransportError as error:
                    self.failures.append(error)


def processes(server: Server) -> dict[int, int]:
    """The latest process of each worker."""
    return {int(worker): int(process) for worker, process in STARTED.findall("".join(server.log))}


def runs(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def answered_by(server: Server, answer: httpx.Response) -> str:
    """The worker whose log has the request."""
    line = server.wait_logged(rf" request id={answer.headers['x-request-id']} ")
    return line.rpartition("worker=")[2].strip()


def ask_both(server: Server) -> dict[str, httpx.Response]:
    """An answer of each worker: new connections reach now one, now the other."""
    answers: dict[str, httpx.Response] = {}
    while len(answers) < 2:
        with Load(server.url) as load:
            pass
        for answer in load.answers:
            answers.setdefault(answered_by(server, answer), answer)
    return answers


def reference(artifact: Artifact, backbone: Backbone) -> np.ndarray[Any, Any]:
    pixels = to_pixels(PICTURE, artifact.config.preprocess, backbone.config.image_size)
    logits = adapter_of(artifact, backbone.config)(backbone, pixels[None])
    return np.asarray(logits.softmax(-1)[0].numpy())


def probabilities(answer: httpx.Response) -> np.ndarray[Any, Any]:
    (prediction,) = answer.raise_for_status().json()["predictions"]
    ordered = sorted(prediction["classes"], key=lambda each: int(each["index"]))
    return np.array([each["probability"] for each in ordered])


def test_every_worker_answers_as_offline_and_metrics_add_up(
    server: Server, artifacts: list[Artifact], served_backbone: Backbone
) -> None:
    expected = reference(artifacts[0], served_backbone)

    answers = ask_both(server)

    assert answers.keys() == {"0", "1"}
    for worker in answers:
        server.wait_logged(rf"DEBUG service.registry adapter_loaded task=digits .* worker={worker}$")
    for answer in answers.values():
        np.testing.assert_allclose(probabilities(answer), expected, atol=1e-4)
    sent = sum(" request id=" in line and " method=POST " in line for line in server.log)
    for _ in range(4):  # whoever shows the page
        metrics = server.metrics()
        assert metrics['dvpt_requests_total{code="ok",task="digits"}'] == sent
        assert metrics['dvpt_request_seconds_count{task="digits"}'] == sent
        assert (metrics["dvpt_ready"], metrics["dvpt_workers_ready"], metrics["dvpt_workers"]) == (1, 2, 2)
    assert metrics['process_start_time_seconds{worker="0"}'] > 0
    assert metrics['process_open_fds{worker="1"}'] > 0


def test_a_publish_reaches_all_and_the_task_says_so(
    server: Server, module_store: Store, artifacts: list[Artifact], served_backbone: Backbone
) -> None:
    version = module_store.publish("digits", artifacts[1])

    def shown() -> dict[str, Any]:
        task: dict[str, Any] = httpx.get(f"{server.url}/v1/tasks/digits").json()
        return task

    wait_until(
        lambda: shown()["labels"] == {"stable": version} and shown()["replicas"]["ready"] == 2,
        "both to have it",
    )
    assert shown()["replicas"] == {"all": 2, "ready": 2, "serving": {"stable": {str(version): 2}}}
    expected = reference(artifacts[1], served_backbone)
    for answer in ask_both(server).values():
        assert answer.json()["version"] == version
        np.testing.assert_allclose(probabilities(answer), expected, atol=1e-4)


def test_the_backbone_s_weights_are_in_memory_once(server: Server, weights: Path) -> None:
    size_kb = weights.stat().st_size / 1024
    for process in processes(server).values():
        mapped = re.search(
            rf" {re.escape(str(weights))}\n(?:\w+:.*\n)+", Path(f"/proc/{process}/smaps").read_text()
        )
        assert mapped
        figures = {name: int(kb) for name, kb in re.findall(r"(\w+): +(\d+) kB", mapped[0])}
        assert figures["Rss"] >= 0.9 * size_kb
        assert figures["Pss"] <= 0.6 * figures["Rss"]
        assert figures["Private_Dirty"] == 0


def test_one_that_is_killed_is_replaced_and_only_its_own_requests_fail(server: Server) -> None:
    killed, stays = processes(server)[0], processes(server)[1]
    ready = httpx.get(f"{server.url}/readyz").json()["detail"]
    with Load(server.url) as load:
        before = len(load.answers)
        os.kill(killed, signal.SIGKILL)
        server.wait_logged(r"ERROR service.workers worker_ended worker=0 ended_by=SIGKILL")
        wait_until(lambda: len(load.answers) > before + 50, "answers of the other")
        meanwhile = httpx.get(f"{server.url}/readyz")
        replicas = httpx.get(f"{server.url}/v1/tasks/digits").json()["replicas"]
        wait_until(lambda: server.metrics()["dvpt_workers_ready"] == 2, "the other to be replaced")

    assert set(load.codes()) == {200}
    assert len(load.failures) <= CLIENTS  # those that were under way: their connection broke
    assert "2 of 2 workers are ready" in ready
    assert (meanwhile.status_code, "1 of 2 workers are ready" in meanwhile.text) == (200, True)
    assert (replicas["all"], replicas["ready"]) == (2, 1)
    assert processes(server)[0] != killed
    assert processes(server)[1] == stays
    assert not runs(killed)
    metrics = server.metrics()
    assert metrics["dvpt_worker_restarts_total"] == 1
    assert metrics['dvpt_requests_total{code="ok",task="digits"}'] >= len(load.answers)


def test_a_signal_under_load_ends_all_in_order(server: Server) -> None:
    workers = processes(server).values()
    folder = Path(server.wait_logged(r"INFO service.workers workers ").partition(" folder=")[2].split()[0])
    assert folder.stat().st_mode & 0o077 == 0
    with Load(server.url) as load:
        assert server.stop(signal.SIGTERM) == 0

    assert set(load.codes()) <= {200, 503}
    assert {answer.json()["code"] for answer in load.answers if answer.status_code == 503} <= {"draining"}
    assert not any(map(runs, workers))
    assert not folder.exists()
    assert "Traceback" not in "".join(server.log)


def test_a_taken_port_is_said_once(empty_store: Store, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = start(empty_store, f"--port={taken.getsockname()[1]}", "--workers=3")
        assert server.process.wait(240) == 1
        server.end()

    assert "".join(server.log).lower().count("address already in use") == 1
    assert not any("worker_started" in line for line in server.log)


def test_a_store_that_cannot_be_read_is_said_once(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path / "nowhere", "--workers=2")
    assert server.process.wait(240) == 1
    server.end()

    log = "".join(server.log)
    assert log.count("dvpt-serve: ") == 1
    assert "Train into it first" in log
    assert "Traceback" not in log
