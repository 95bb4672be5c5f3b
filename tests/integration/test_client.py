"""The client against a real service: behind a prefix, with keys, as its users call it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.store.store import Store
from service.client import (
    AsyncClient,
    BadRequest,
    Client,
    NotAllowed,
    NotFound,
    Outcome,
    PictureRefused,
    Unauthenticated,
)
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import plain_png
from tests.support.server import Serve, Server

PICTURES = [plain_png(shade) for shade in range(0, 250, 25)]
LABEL_ROUTE = "/v1/tasks/{task}/labels/{label}"
FEEDBACK_ROUTE = "/v1/tasks/{task}/feedback"


def new_key(file: Path, name: str, *flags: str) -> str:
    command = [sys.executable, "-m", "service.access.cli", "--keys", str(file), "create", name, *flags]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    made = {
        "admin": new_key(file, "admin", "--scope=admin"),
        "retail": new_key(file, "r", "--tasks=retail-*"),
    }
    return made | {"file": str(file)}


@pytest.fixture(scope="module")
def server(
    module_store: Store, make_artifact: MakeArtifact, serve: Serve, keys: dict[str, str]
) -> Iterator[Server]:
    for task, seeds in {"pets": (1, 2), "retail-a": (3,), "retail-b": (4,)}.items():
        for seed in seeds:
            module_store.publish(task, make_artifact(seed))
    with serve(module_store, f"--keys={keys['file']}", "--root-path=/vision") as running:
        yield running


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    return f"{server.url}/vision"


@pytest.fixture
def client(url: str, keys: dict[str, str]) -> Iterator[Client]:
    with Client(url, key=keys["admin"]) as client:
        yield client


def require(url: str, keys: dict[str, str], route: str) -> None:
    document = httpx.get(f"{url}/openapi.json", headers={"X-API-Key": keys["admin"]}).json()
    if not any(path.endswith(route) for path in document["paths"]):
        pytest.skip(f"this service has no {route}")


def test_pictures_are_answered_one_by_one_and_together(client: Client, tmp_path: Path) -> None:
    for index, data in enumerate(PICTURES):
        (tmp_path / f"{index}.png").write_bytes(data)
    together = client.classify("pets", sorted(tmp_path.iterdir()), top_k=3)
    assert [answer.index for answer in together] == list(range(len(PICTURES)))
    assert {(answer.task, answer.version, len(answer.classes)) for answer in together} == {("pets", 2, 3)}
    for data, answer in zip(PICTURES, together, strict=True):
        alone = client.classify("pets", data, version=2)
        assert alone.best.label == answer.best.label
        assert alone.best.probability == pytest.approx(answer.best.probability, abs=1e-4)
    assert len({answer.request_id for answer in together}) == 1


def test_errors_have_their_kinds(client: Client) -> None:
    with pytest.raises(NotFound) as caught:
        client.classify("pet", PICTURES[0])
    assert caught.value.code == "task_not_found"
    with pytest.raises(PictureRefused) as refused:
        client.classify("pets", [*PICTURES, PICTURES[0][:50]])
    assert (refused.value.index, refused.value.code) == (len(PICTURES), "picture_damaged")
    with pytest.raises(BadRequest):
        client.classify("pets", PICTURES[0], top_k=0)


def test_keys_open_what_they_are_for(url: str, keys: dict[str, str]) -> None:
    with Client(url, key=keys["retail"]) as retail, Client(url) as nobody:
        assert [task.task for task in retail.tasks()] == ["retail-a", "retail-b"]
        with pytest.raises(NotAllowed):
            retail.classify("pets", PICTURES[0])
        with pytest.raises(Unauthenticated):
            nobody.task("pets")


def test_a_task_says_what_it_is(client: Client) -> None:
    detail = client.task("pets")
    assert detail.classes == ("class 0", "class 1", "class 2", "class 3", "class 4")
    assert (detail.versions, detail.labels, detail.serving) == ((1, 2), {"stable": 2}, {"stable": 2})
    assert (detail.ready, detail.processes) == (1, 1)


def test_a_stream_answers_as_one_request_does(url: str, keys: dict[str, str], client: Client) -> None:
    pictures = [*PICTURES, b"no picture"] * 3

    async def streamed() -> list[Outcome[bytes]]:
        async with AsyncClient(url, key=keys["admin"]) as asking:
            stream = asking.stream("pets", pictures, batch=4, concurrency=3)
            return [outcome async for outcome in stream]

    outcomes = asyncio.run(streamed())
    expected = dict(zip(PICTURES, client.classify("pets", PICTURES), strict=True))
    assert sorted(outcome.picture for outcome in outcomes) == sorted(pictures)
    for outcome in outcomes:
        if outcome.answer is None:
            assert outcome.picture == b"no picture"
        else:
            assert outcome.answer.best.label == expected[outcome.picture].best.label


def test_a_version_is_published_labelled_and_rolled_back(
    url: str, keys: dict[str, str], client: Client, make_artifact: MakeArtifact, module_store: Store,
    tmp_path: Path,
) -> None:  # fmt: skip
    require(url, keys, LABEL_ROUTE)
    Store.create(tmp_path, module_store.backbone).publish("pets", make_artifact(9))
    folder = tmp_path / "pets" / "1"
    first = client.publish("retail-a", folder, label=None)
    again = client.publish("retail-a", folder, label=None)
    assert (first.version, first.existed, again.existed) == (again.version, False, True)
    assert client.classify("retail-a", PICTURES[0]).version == 1
    before = client.label("retail-a", "stable")
    client.move_label("retail-a", "stable", first.version, if_match=before.etag)
    assert client.classify("retail-a", PICTURES[0]).version == first.version
    client.roll_back("retail-a")
    assert client.classify("retail-a", PICTURES[0]).version == 1


def test_feedback_is_taken(url: str, keys: dict[str, str], client: Client) -> None:
    require(url, keys, FEEDBACK_ROUTE)
    answer = client.classify("pets", PICTURES)[3]
    assert client.feedback(answer, answer.best.label).correct
    assert not client.feedback(answer, answer.classes[1].label).correct
