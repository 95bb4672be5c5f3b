"""Which requests leave a line, and when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp

from adapters.errors import LabelNotFound
from service.access.scope import Scope
from service.audit import Audit
from service.errors import NotAllowed
from service.http.application import Application
from service.http.audit_trail import AuditTrail
from service.http.handlers import problem_answers
from service.http.request_log import note_of
from service.http.routes.lean import add_route

pytestmark = pytest.mark.anyio


class Lines(Audit):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    async def write(self, who: str, action: str, task: str | None, result: str, **facts: Any) -> None:
        facts.pop("request_id")
        self.told.append((who, action, task, result, facts))


async def guard(request: Request, needs: Scope) -> None:
    assert needs
    if "x-key" not in request.headers:
        raise NotAllowed("no")
    note_of(request.scope).key = request.headers["x-key"]


async def set_label(request: Request) -> Response:
    note_of(request.scope).facts["version"] = 3
    if request.path_params["label"] == "gone":
        raise LabelNotFound("gone")
    if request.path_params["label"] == "broken":
        raise ValueError("broken")
    if request.path_params["label"] == "cut":
        raise asyncio.CancelledError
    return Response("done")


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def app(lines: Lines) -> FastAPI:
    def audited(inner: ASGIApp) -> ASGIApp:
        return AuditTrail(inner, lines, "unknown")

    made = Application(problem_answers(None), prefix="", access_log=False, audited=audited)  # type: ignore[arg-type]
    for method, needs in (("GET", Scope.ADMIN), ("PUT", Scope.ADMIN), ("POST", Scope.CLASSIFY)):
        add_route(made, guard, method, "/{task}/{label}", set_label, needs=needs)
    return made


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("10.0.0.7", 9))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("label", "result", "status"),
    [("stable", "done", 200), ("gone", "label_not_found", 404), ("broken", "internal", 500),
     ("cut", "draining", 503)],
)  # fmt: skip
async def test_a_change_is_a_line_however_it_ends(
    app: FastAPI, lines: Lines, label: str, result: str, status: int
) -> None:
    async with asking(app) as client:
        answer = await client.put(f"/pets/{label}", headers={"x-key": "1a2b"})
    facts = {"label": label, "version": 3, "client": "10.0.0.7"}
    assert answer.status_code == status
    assert lines.told == [("1a2b", "set_label", "pets", result, facts)]


async def test_who_may_not_is_a_line_and_who_looks_is_none(app: FastAPI, lines: Lines) -> None:
    async with asking(app) as client:
        assert (await client.put("/pets/stable")).status_code == 403
        await client.get("/pets/stable", headers={"x-key": "1a2b"})
        await client.post("/pets/stable", headers={"x-key": "1a2b"})
        await client.put("/nothing/at/all")
    facts = {"label": "stable", "client": "10.0.0.7"}
    assert lines.told == [("unknown", "set_label", "pets", "not_allowed", facts)]


async def test_the_line_is_written_before_the_answer_leaves(app: FastAPI, lines: Lines) -> None:
    scope = {
        "type": "http", "method": "PUT", "path": "/pets/stable", "query_string": b"",
        "headers": [(b"x-key", b"1a2b")],
    }  # fmt: skip
    counts: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(_: Any) -> None:
        counts.append(len(lines.told))

    await app(scope, receive, send)
    assert counts[0] == 1


async def test_no_client_makes_a_long_line(app: FastAPI, lines: Lines) -> None:
    async with asking(app) as client:
        await client.put(f"/{'t' * 3000}/{'l' * 3000}", headers={"x-key": "1a2b"})
    (line,) = lines.told
    assert len(str(line)) < 700


async def test_a_page_of_another_origin_changes_nothing(app: FastAPI, lines: Lines) -> None:
    async with asking(app) as client:
        answer = await client.put("/pets/stable", headers={"x-key": "1", "origin": "http://evil.example"})
    assert answer.json()["code"] == "not_allowed"
    assert [line[3] for line in lines.told] == ["not_allowed"]
