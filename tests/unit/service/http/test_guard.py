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
OPEN |= {"/v2/health/live", "/v2/health/ready"}
TASK = "/v1/tasks/{task}"
NEEDS = {
    "GET /v1/tasks": Scope.CLASSIFY,
    f"GET {TASK}": Scope.CLASSIFY,
    f"POST {TASK}/classify": Scope.CLASSIFY,
    f"GET {TASK}/versions/{{version}}": Scope.CLASSIFY,
    f"GET {TASK}/labels": Scope.CLASSIFY,
    f"GET {TASK}/labels/{{label}}": Scope.CLASSIFY,
    "GET /metrics": Scope.METRICS,
    f"GET {TASK}/uploads/{{sha256}}": Scope.ADMIN,
    f"PUT {TASK}/uploads/{{sha256}}": Scope.ADMIN,
    f"POST {TASK}/versions": Scope.ADMIN,
    f"POST {TASK}/versions/{{version}}/verify": Scope.ADMIN,
    f"DELETE {TASK}/versions/{{version}}": Scope.ADMIN,
    f"PUT {TASK}/labels/{{label}}": Scope.ADMIN,
    f"DELETE {TASK}/labels/{{label}}": Scope.ADMIN,
    f"POST {TASK}/labels/{{label}}/rollback": Scope.ADMIN,
    f"PUT {TASK}/labels/{{label}}/traffic": Scope.ADMIN,
    f"DELETE {TASK}/labels/{{label}}/traffic": Scope.ADMIN,
    f"PUT {TASK}/labels/{{label}}/thresholds": Scope.ADMIN,
    f"DELETE {TASK}/labels/{{label}}/thresholds": Scope.ADMIN,
    f"POST {TASK}/feedback": Scope.CLASSIFY,
    f"PUT {TASK}/pin": Scope.ADMIN,
    f"DELETE {TASK}/pin": Scope.ADMIN,
    f"DELETE {TASK}": Scope.ADMIN,
    f"POST {TASK}/refresh": Scope.ADMIN,
    "POST /v1/refresh": Scope.ADMIN,
    "GET /v2": Scope.CLASSIFY,
    **{
        f"{method} /v2/models/{{task}}{version}{what}": Scope.CLASSIFY
        for version in ("", "/versions/{version}")
        for method, what in (
            ("GET", ""),
            ("GET", "/config"),
            ("GET", "/ready"),
            ("GET", "/stats"),
            ("POST", "/infer"),
        )
    },
    "GET /v2/models/stats": Scope.CLASSIFY,
    "POST /v2/repository/index": Scope.CLASSIFY,
    "POST /v2/repository/models/{task}/load": Scope.ADMIN,
    "POST /v2/repository/models/{task}/unload": Scope.ADMIN,
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
        names = {
            "task": "made-up", "version": 1, "label": "stable", "sha256": "0" * 64, "file": "page.js",
        }  # fmt: skip
        return await client.request(method, path.format(**names))


async def test_a_guard_that_refuses_closes_every_route_that_needs_a_scope(store: Store) -> None:
    app = application(store, refuse)
    closed = [(method, path) for method, path in requests(app) if path not in OPEN]

    for method, path in closed:
        answer = await ask(app, method, path)
        assert answer.status_code == 403, (method, path)
        if method != "HEAD":
            assert answer.json()["detail"] == f"refused {NEEDS[f'{method} {path}']}"
    assert {f"{method} {path}" for method, path in closed if method != "HEAD"} == set(NEEDS)
    assert {method for method, path in closed if path == "/v1/tasks"} == {"GET", "HEAD"}


async def test_what_is_open_is_open_to_those_whom_the_guard_refuses(store: Store) -> None:
    app = application(store, refuse)

    statuses = {(await ask(app, method, path)).status_code for method, path in requests(app) if path in OPEN}

    assert statuses == {200, 503}  # 503: it has not started


async def test_without_keys_everybody_comes_in(store: Store) -> None:
    app = application(store, allow_all)

    answer = await ask(app, "GET", "/v1/tasks")

    assert (answer.status_code, answer.json()["code"]) == (503, "starting")
