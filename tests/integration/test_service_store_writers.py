"""Two services follow one store while three writers change it, by its journal alone."""

from functools import partial
from pathlib import Path

import httpx
from PIL import Image

from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded
from tests.support.server import Serve, Server
from tests.support.store_workers import store_worker
from tests.support.waiting import wait_until

TASK = "digits"
WRITERS, TIMES = 3, 8
BY_JOURNAL = "--whole-look-interval-s=3600"


def serves(server: Server, version: int) -> bool:
    serving = httpx.get(f"{server.url}/v1/tasks/{TASK}").json()["serving"]
    return bool(serving["stable"]["version"] == version)


def test_both_services_answer_throughout_and_end_with_what_the_store_has(
    serve: Serve, empty_store: Store, make_artifact: MakeArtifact, tmp_path: Path
) -> None:
    empty_store.publish(TASK, make_artifact(1))
    empty_store.write_index()
    picture, answers = encoded(Image.radial_gradient("L")), list[tuple[int, int]]()
    with (
        serve(empty_store, BY_JOURNAL) as first,
        serve(empty_store, BY_JOURNAL) as second,
        store_worker() as worker,
    ):
        worker.start("publish", empty_store.url, tmp_path / "log", WRITERS, TIMES)
        while worker.running():
            for number, server in enumerate((first, second)):
                answer = httpx.post(f"{server.url}/v1/tasks/{TASK}/classify", content=picture, timeout=60)
                answer.raise_for_status()
                answers.append((number, answer.json()["version"]))
        assert worker.exit_code() == 0
        for server in (first, second):
            last = empty_store.resolve(TASK)
            wait_until(partial(serves, server, last), f"version {last} answers")
            versions = httpx.get(f"{server.url}/v1/tasks").json()["tasks"][0]["versions"]
            assert versions == list(range(1, 2 + WRITERS * TIMES))
            assert server.metrics()["dvpt_store_scan_seconds_count"] <= 1
    for number in (0, 1):
        assert len({version for asked, version in answers if asked == number}) > 1
