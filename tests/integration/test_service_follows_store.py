"""The running service follows its store: hot load, swap, rollback, refusal, deletion, under traffic."""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded
from tests.support.server import Serve, Server

TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def server(module_store: Store, serve: Serve) -> Iterator[Server]:
    with serve(module_store, "--slots-per-layout=4") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as made:
        yield made


@pytest.fixture(scope="module")
def picture() -> bytes:
    return encoded(Image.radial_gradient("L"))


class Traffic:
    """Several clients that ask for one task again and again, and note every answer."""

    def __init__(self, url: str, task: str, picture: bytes, clients: int = 4) -> None:
        self._path = f"{url}/v1/tasks/{task}/classify"
        self._picture = picture
        self.statuses: Counter[int] = Counter()
        self.digests: dict[int, set[str]] = {}
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def wait_for(self, version: int, answers: int = 10) -> None:
        """Go on until so many more answers came from a version."""
        for _ in range(int(TIMEOUT_S / 0.02)):
            with self._lock:
                if len(self.digests.get(version, ())) and self.by_version[version] >= answers:
                    self.by_version.clear()
                    return
            threading.Event().wait(0.02)
        raise AssertionError(f"version {version} never answered: {self.statuses} {self.digests}")

    def __enter__(self) -> "Traffic":
        self.by_version: Counter[int] = Counter()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        files = [("images", ("x", self._picture))] * 3
        with httpx.Client(timeout=TIMEOUT_S) as client:
            while not self._ending.is_set():
                response = client.post(self._path, files=files)
                self._note(response)

    def _note(self, response: httpx.Response) -> None:
        with self._lock:
            self.statuses[response.status_code] += 1
            if response.status_code == 200:
                answer = response.json()
                assert len(answer["predictions"]) == 3
                self.by_version[answer["version"]] += 1
                self.digests.setdefault(answer["version"], set()).add(answer["digest"])


def until(client: httpx.Client, path: str, wanted: Callable[[httpx.Response], bool]) -> httpx.Response:
    """Ask until the answer is as wanted."""
    for _ in range(int(TIMEOUT_S / 0.02)):
        response = client.get(path)
        if wanted(response):
            return response
        threading.Event().wait(0.02)
    raise AssertionError(response.text)


def serves(version: int) -> Callable[[httpx.Response], bool]:
    return lambda response: response.json().get("serving", {}).get("stable", {}).get("version") == version


@contextmanager
def damaged(folder: Path, task: str, version: int) -> Iterator[None]:
    """Flip a bit of a version's tensors until the block ends."""
    path = folder / task / str(version) / TENSORS_FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    yield
    path.write_bytes(whole)


def test_an_empty_store_answers_404_and_fills_without_a_restart(
    client: httpx.Client, module_store: Store, make_artifact: MakeArtifact, picture: bytes
) -> None:
    before = client.post("/v1/tasks/first/classify", content=picture)
    assert (before.status_code, before.json()["tasks"]) == (404, [])
    assert client.get("/v1/tasks").json() == {"tasks": []}

    module_store.publish("first", make_artifact(1))

    until(client, "/v1/tasks/first", serves(1))
    client.post("/v1/tasks/first/classify", content=picture).raise_for_status()
    module_store.delete_task("first")
    until(client, "/v1/tasks/first", lambda response: response.status_code == 404)


def test_publish_rollback_and_further_tasks_under_traffic_fail_no_request(
    server: Server,
    client: httpx.Client,
    module_store: Store,
    make_artifact: MakeArtifact,
    picture: bytes,
) -> None:
    module_store.publish("busy", make_artifact(1))
    until(client, "/v1/tasks/busy", serves(1))
    with Traffic(server.url, "busy", picture) as traffic:
        traffic.wait_for(1)
        for seed in range(2, 5):
            module_store.publish("busy", make_artifact(seed))
            traffic.wait_for(seed)
        module_store.rollback("busy")
        traffic.wait_for(3)
        module_store.publish("beside", make_artifact(9))
        until(client, "/v1/tasks/beside", serves(1))
        traffic.wait_for(3)

    assert set(traffic.statuses) == {200}
    published = {n: {module_store.config("busy", n).tensors_sha256} for n in range(1, 5)}
    assert traffic.digests == published


def test_a_bad_version_is_refused_and_shown_while_the_old_one_answers(
    server: Server,
    client: httpx.Client,
    module_store: Store,
    make_artifact: MakeArtifact,
    picture: bytes,
    module_folder: Path,
) -> None:
    module_store.publish("guarded", make_artifact(1))
    until(client, "/v1/tasks/guarded", serves(1))
    client.post("/v1/tasks/guarded/classify", content=picture).raise_for_status()
    version = module_store.publish("guarded", make_artifact(2), label=None)
    with Traffic(server.url, "guarded", picture) as traffic, damaged(module_folder, "guarded", version):
        module_store.set_label("guarded", "stable", version)
        shown = until(client, "/v1/tasks/guarded", lambda response: bool(response.json()["refused"])).json()
        traffic.wait_for(1)
        asked = client.post(f"/v1/tasks/guarded/classify?version={version}", content=picture)

    assert set(traffic.statuses) == {200}
    assert "SHA-256" in shown["refused"][0]["error"]
    assert shown["serving"]["stable"]["version"] == 1
    assert (asked.status_code, asked.json()["code"]) == (503, "adapter_unavailable")
    assert server.metrics()['dvpt_adapter_loads_total{cause="publish",outcome="refused"}'] >= 1
    server.wait_logged(r"ERROR service.registry adapter_refused task=guarded version=2")

    until(client, "/v1/tasks/guarded", serves(version))


def test_an_unfinished_publish_is_not_seen(
    client: httpx.Client,
    module_store: Store,
    make_artifact: MakeArtifact,
    module_folder: Path,
    tmp_path: Path,
) -> None:
    other = Store.create(tmp_path / "other", module_store.backbone)
    for seed in (1, 2):
        other.publish("careful", make_artifact(seed))
    module_store.publish("careful", make_artifact(1))
    shutil.copytree(
        tmp_path / "other" / "careful" / "2",
        module_folder / "careful" / "2",
        ignore=shutil.ignore_patterns(CONFIG_FILE),
    )
    module_store.journal.append("careful")  # no writer announces what is not there; a stray entry may
    module_store.publish("witness", make_artifact(1))
    until(client, "/v1/tasks/witness", serves(1))

    assert len(client.get("/v1/tasks/careful").json()["versions"]) == 1
    assert client.post("/v1/tasks/careful/classify?version=2", content=b"x").status_code == 404


def test_more_adapters_than_slots_all_answer(
    server: Server, client: httpx.Client, module_store: Store, make_artifact: MakeArtifact, picture: bytes
) -> None:
    tasks = [f"crowd{index}" for index in range(9)]
    for index, task in enumerate(tasks):
        module_store.publish(task, make_artifact(index))
    until(client, "/v1/tasks/crowd8", serves(1))
    statuses: list[int] = []

    def ask(task: str) -> None:
        for _ in range(4):
            response = httpx.post(
                f"{server.url}/v1/tasks/{task}/classify", content=picture, timeout=TIMEOUT_S
            )
            statuses.append(response.status_code)

    threads = [threading.Thread(target=ask, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 36
    metrics = server.metrics()
    assert metrics["dvpt_adapter_returns_total"] > 0
    assert metrics["dvpt_adapter_evictions_total"] > 0
    assert max(value for name, value in metrics.items() if name.startswith("dvpt_slots_used")) <= 4


def test_a_store_out_of_sight_takes_nothing_away(
    server: Server,
    client: httpx.Client,
    module_store: Store,
    make_artifact: MakeArtifact,
    picture: bytes,
    module_folder: Path,
) -> None:
    module_store.publish("steady", make_artifact(1))
    until(client, "/v1/tasks/steady", serves(1))
    client.post("/v1/tasks/steady/classify", content=picture).raise_for_status()
    module_store.publish("cold", make_artifact(2))
    shown = until(client, "/v1/tasks/cold", serves(1)).json()
    (version,) = shown["versions"]
    assert (version["version"], version["state"], version["place"]) == (1, "stored", "store")
    assert len(shown["classes"]) == 5
    away = module_folder.with_name("away")
    module_folder.rename(away)
    server.wait_logged("store_unreadable")

    client.post("/v1/tasks/steady/classify", content=picture).raise_for_status()
    cold = client.post("/v1/tasks/cold/classify", content=picture)
    assert (cold.status_code, cold.json()["code"]) == (503, "adapter_unavailable")

    away.rename(module_folder)
    server.wait_logged("store_readable_again")
    client.post("/v1/tasks/cold/classify", content=picture).raise_for_status()


def test_a_store_that_comes_and_goes_fails_no_request(
    client: httpx.Client,
    module_store: Store,
    make_artifact: MakeArtifact,
    picture: bytes,
    module_folder: Path,
) -> None:
    tasks = [f"many{index}" for index in range(40)]
    for task in tasks:
        module_store.publish(task, make_artifact(1))
    for task in tasks:
        until(client, f"/v1/tasks/{task}", serves(1))
        client.post(f"/v1/tasks/{task}/classify", content=picture).raise_for_status()
    away, ending = module_folder.with_name("away"), threading.Event()

    def come_and_go() -> None:
        while not ending.wait(0.007):
            module_folder.rename(away)
            threading.Event().wait(0.02)
            away.rename(module_folder)

    going = threading.Thread(target=come_and_go)
    going.start()
    try:
        statuses = Counter(
            client.post(f"/v1/tasks/{task}/classify", content=picture).status_code for task in tasks * 10
        )
    finally:
        ending.set()
        going.join()

    assert statuses == {200: 400}
    module_store.delete_task("many0")
    until(client, "/v1/tasks/many0", lambda response: response.status_code == 404)
    for task in tasks[1:]:
        module_store.delete_task(task)


def test_more_hot_tasks_than_slots_starve_nobody(
    serve: Serve,
    empty_store: Store,
    make_artifact: MakeArtifact,
    picture: bytes,
) -> None:
    for index, task in enumerate("abc"):
        empty_store.publish(task, make_artifact(index))
    with (
        serve(empty_store, "--slots-per-layout=2") as server,
        Traffic(server.url, "a", picture, clients=6) as hot_a,
        Traffic(server.url, "b", picture, clients=6) as hot_b,
    ):
        for traffic in (hot_a, hot_b):
            traffic.wait_for(1)
        for _ in range(3):
            response = httpx.post(f"{server.url}/v1/tasks/c/classify", content=picture, timeout=TIMEOUT_S)
            assert response.status_code == 200
            for traffic in (hot_a, hot_b):
                traffic.wait_for(1)
    assert set(hot_a.statuses) == set(hot_b.statuses) == {200}


def test_versions_asked_for_by_number_leave_memory_again(
    serve: Serve, empty_store: Store, make_artifact: MakeArtifact, picture: bytes
) -> None:
    for seed in range(30):
        empty_store.publish("numbered", make_artifact(seed))
    with (
        serve(empty_store, "--slots-per-layout=4", "--host-bytes=400000", "--log-level=debug") as server,
        httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as client,
    ):
        for version in (*range(1, 31), 1):
            asked = client.post(f"/v1/tasks/numbered/classify?version={version}", content=picture)
            assert asked.json()["version"] == version
        versions = client.get("/v1/tasks/numbered").json()["versions"]
        assert any(each["place"] == "store" for each in versions)
        assert server.metrics()["dvpt_host_bytes"] <= 400_000
        server.wait_logged(r"DEBUG service.registry adapter_loaded task=numbered version=30 cause=request ")


def test_a_restored_version_is_read_anew(
    client: httpx.Client,
    server: Server,
    module_store: Store,
    make_artifact: MakeArtifact,
    module_folder: Path,
    tmp_path: Path,
    picture: bytes,
) -> None:
    other = Store.create(tmp_path / "other", module_store.backbone)
    for store, seed in ((module_store, 1), (other, 2)):
        store.publish("restored", make_artifact(seed))
    until(client, "/v1/tasks/restored", serves(1))
    client.post("/v1/tasks/restored/classify", content=picture).raise_for_status()
    (module_folder / "restored").rename(tmp_path / "before")
    (tmp_path / "other" / "restored").rename(module_folder / "restored")

    digest = module_store.config("restored", 1).tensors_sha256
    until(
        client,
        "/v1/tasks/restored",
        lambda response: response.json()["serving"]["stable"]["digest"] == digest,
    )
    server.wait_logged("adapter_changed")
    client.post("/v1/tasks/restored/classify", content=picture).raise_for_status()


def test_a_read_that_hangs_holds_up_no_other_task(
    serve: Serve,
    empty_store: Store,
    make_artifact: MakeArtifact,
    picture: bytes,
    tmp_path: Path,
) -> None:
    for task in ("hangs", "steady"):
        empty_store.publish(task, make_artifact(1))
    tensors = tmp_path / "store" / "hangs" / "1" / TENSORS_FILE
    tensors.unlink()
    os.mkfifo(tensors)
    with serve(empty_store) as server, httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as client:
        slow = client.post("/v1/tasks/hangs/classify?timeout_ms=200", content=picture)
        assert (slow.status_code, slow.json()["code"]) == (503, "adapter_loading")
        assert "retry-after" in slow.headers
        server.wait_logged("store_slow")
        client.post("/v1/tasks/steady/classify", content=picture).raise_for_status()
        empty_store.publish("late", make_artifact(2))
        until(client, "/v1/tasks/late", serves(1))
        assert server.metrics()["dvpt_slow_store_reads"] >= 1
        assert server.stop() == 0
