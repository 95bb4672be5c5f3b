from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from adapters.errors import TaskNotFound
from service.http.routes.lean import add_route
from service.http.routes.lean_routes import LeanRoutes

pytestmark = pytest.mark.anyio


async def tell(request: Request) -> Response:
    return JSONResponse({"params": request.path_params, "query": str(request.query_params)})


async def refuse(request: Request) -> Response:
    raise TaskNotFound(request.path_params["task"])


async def forbid(_: Request) -> Response:
    raise HTTPException(403, "forbidden")


async def break_down(_: Request) -> Response:
    raise ZeroDivisionError


async def ask_nobody(_: Request, __: object) -> None:
    """A guard that lets in."""


def answer_error(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 499)


def framework() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    for method, path, endpoint in (
        ("GET", "/v1/tasks", tell),
        ("GET", "/v1/tasks/{task}", tell),
        ("POST", "/v1/tasks/{task}/classify", tell),
        ("POST", "/v1/tasks/{task}/refuse", refuse),
        ("GET", "/forbidden", forbid),
        ("GET", "/broken", break_down),
    ):
        add_route(app, ask_nobody, method, path, endpoint, needs=None)

    async def handle(request: Request, error: Exception) -> Response:
        return answer_error(request, error)

    app.add_exception_handler(TaskNotFound, handle)
    app.add_exception_handler(HTTPException, handle)
    return app


async def asked(app: ASGIApp, method: str, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/tasks",
        "/v1/tasks/",
        "/v1//tasks",
        "/v1/tasks/a?x=1&y=%2F",
        "/v1/tasks/a%2Fclassify",
        "/v1/tasks/a%20b/classify",
        "/v1/tasks/%C3%A9/classify",
        "/v1/tasks/a/classify/",
        "/v1/tasks/../tasks/a",
        "/v1/tasks/a%0A/classify",
        "/v1/tasks/a/classify%0A",
        "/v1/tasks/a/refuse",
        "/forbidden",
        "/docs",
        "/nothing",
    ],
)
async def test_every_request_is_answered_as_the_framework_would(method: str, path: str) -> None:
    app = framework()

    alone = await asked(app, method, path)
    lean = await asked(LeanRoutes(app, app.routes, answer_error), method, path)

    assert (lean.status_code, lean.content, lean.headers) == (alone.status_code, alone.content, alone.headers)


async def nobody(*_: Any) -> None:
    raise AssertionError


async def test_the_framework_sees_nothing_of_a_lean_route() -> None:
    lean = LeanRoutes(nobody, framework().routes, answer_error)

    assert (await asked(lean, "POST", "/v1/tasks/a/classify")).json()["params"] == {"task": "a"}


@pytest.mark.parametrize("root_path", ["/vision", "/v1", "/v1/tasks"])
async def test_the_prefix_of_a_proxy_is_no_part_of_a_route(root_path: str) -> None:
    lean = LeanRoutes(nobody, framework().routes, answer_error)
    transport = httpx.ASGITransport(lean, root_path=root_path)

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        under = await client.get(f"{root_path}/v1/tasks/a")
        with pytest.raises(AssertionError):
            await client.get(f"{root_path}s/v1/tasks/a")

    assert under.json()["params"] == {"task": "a"}


async def test_a_fault_goes_up() -> None:
    app = framework()

    with pytest.raises(ZeroDivisionError):
        await asked(LeanRoutes(app, app.routes, answer_error), "GET", "/broken")
