"""Every route of the application stands behind the guard, unless it is named here as open to all."""

from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.routing import Route

from adapters.store.store import Store
from service.access.scope import Scope
from service.app import create_service
from service.http.guard import Guard, allow_all
from service.settings import settings_from

pytestmark = pytest.mark.anyio
OPEN = {"/", "/healthz", "/readyz", "/docs", "/static/{file}", "/openapi.json"}
NEEDS = {
    "/v1/tasks": Scope.CLASSIFY,
    "/v1/tasks/{task}": Scope.CLASSIFY,
    "/v1/tasks/{task}/classify": Scope.CLASSIFY,
    "/metrics": Scope.METRICS,
}


async def refuse(_: Request, scope: Scope) -> None:
    raise HTTPException(403, f"refused {scope}")


def application(store: Store, guard: Guard) -> FastAPI:
    settings = settings_from({"store": store.url, "device": "cpu"})
    engine = cast("Any", type("Engine", (), {"stage": lambda image: image}))
    return create_service(settings, store, lambda *_: engine, guard=guard).app


def requests(app: FastAPI) -> Iterator[tuple[str, str]]:
    """The method and path of everything that the application answers."""
    for route in app.routes:
        assert isinstance(route, Route), f"{route} may have endpoints that this test does not see"
        for method in sorted(route.methods or ()):
            yield method, route.path


async def ask(app: FastAPI, method: str, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path.format(task="made-up", file="page.js"))


async def test_a_guard_that_refuses_closes_every_route_that_needs_a_scope(store: Store) -> None:
    app = application(store, refuse)
    closed = [(method, path) for method, path in requests(app) if path not in OPEN]

    for method, path in closed:
        answer = await ask(app, method, path)
        assert answer.status_code == 403, (method, path)
        if method != "HEAD":
            assert answer.json()["detail"] == f"refused {NEEDS[path]}"
    assert {path for _, path in closed} == set(NEEDS)
    assert {method for method, path in closed if path == "/v1/tasks"} == {"GET", "HEAD"}


async def test_what_is_open_is_open_to_those_whom_the_guard_refuses(store: Store) -> None:
    app = application(store, refuse)

    statuses = {(await ask(app, method, path)).status_code for method, path in requests(app) if path in OPEN}

    assert statuses == {200, 503}  # 503: it has not started


async def test_without_keys_everybody_comes_in(store: Store) -> None:
    app = application(store, allow_all)

    assert (await ask(app, "GET", "/v1/tasks")).json() == {"tasks": []}
