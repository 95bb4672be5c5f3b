"""The client for asyncio says and does what the other one does."""

import inspect
from pathlib import Path

import pytest

from service.client import AsyncClient, Client, Overloaded, PictureRefused
from service.client.pictures import Limits
from tests.support.scripted_http import Reply, of_pictures, problem, scripted

pytestmark = pytest.mark.anyio
ROW = {"versions": [1], "labels": {}, "serving": {}, "refused": [], "problems": []}


async def test_it_takes_what_the_other_client_takes() -> None:
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_"):
            other = getattr(AsyncClient, name)
            assert _parameters(method) == _parameters(other), name
    assert inspect.signature(Client) == inspect.signature(AsyncClient)


def _parameters(method: object) -> str:
    return str(inspect.signature(method).replace(return_annotation=None))  # type: ignore[arg-type]


async def test_it_asks_again_and_within_limits(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"1")
    replies = [problem(429, "overloaded"), of_pictures(["a", "b"]), of_pictures(["c"])]
    with scripted(*replies) as server:
        async with AsyncClient(server.url, limits=Limits(pictures=2)) as client:
            answers = await client.classify("pets", [tmp_path / "a.png", b"2", b"3"])
            assert (await client.classify("pets", b"3")).best.label == "c"
    assert [answer.best.label for answer in answers] == ["a", "b", "c"]


async def test_a_refused_picture_has_its_index_among_all() -> None:
    with scripted(of_pictures(["a"]), problem(422, "picture_damaged", index=0)) as server:
        async with AsyncClient(server.url, limits=Limits(pictures=1)) as client:
            with pytest.raises(PictureRefused) as caught:
                await client.classify("pets", [b"1", b"2"])
    assert caught.value.index == 1


async def test_the_deadline_ends_it() -> None:
    with scripted(problem(429, "overloaded", {"retry-after": "60"})) as server:
        async with AsyncClient(server.url, deadline_s=1) as client:
            with pytest.raises(Overloaded):
                await client.task("pets")


async def test_a_stream_gives_each_picture_with_its_answer_or_error() -> None:
    replies = [of_pictures(["a", "b"]), problem(422, "picture_damaged", index=0)]
    with scripted(*replies) as server:
        async with AsyncClient(server.url) as client:
            found = [each async for each in client.stream("pets", [b"1", b"2", b"3"], batch=2, concurrency=1)]
    assert [outcome.picture for outcome in found] == [b"1", b"2", b"3"]
    assert [outcome.answer and outcome.answer.best.label for outcome in found] == ["a", "b", None]
    assert isinstance(found[2].error, PictureRefused)


async def test_all_pages_of_tasks_are_read() -> None:
    pages = [Reply(200, {"tasks": [{"task": name, **ROW}]} | more) for name, more in
             (("a", {"next": "a"}), ("b", {}))]  # fmt: skip
    with scripted(*pages) as server:
        async with AsyncClient(server.url) as client:
            assert [task.task async for task in client.tasks(search="x")] == ["a", "b"]
