from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from adapters.errors import ConfigError
from service.http.root_path import RootPath, check_root_path

PATHS = ("/", "/healthz", "/docs", "/v1/tasks", "/v1/tasks/{task}", "/v1/tasks/{task}/classify")


def application() -> FastAPI:
    async def endpoint() -> PlainTextResponse:
        return PlainTextResponse("")

    app = FastAPI(docs_url=None, openapi_url=None)
    for path in PATHS:
        app.add_api_route(path, endpoint)
    return app


async def full_path(root_path: str, path: str) -> str:
    given: dict[str, Any] = {}

    async def inner(scope: Any, _receive: Any, _send: Any) -> None:
        given.update(scope)

    scope = {"type": "http", "path": path}
    await RootPath(inner, root_path, application().routes)(scope, None, None)  # type: ignore[arg-type]
    assert given["root_path"] == root_path
    return str(given["path"])


@pytest.mark.parametrize(
    ("root_path", "path", "full"),
    [
        ("/vision", "/healthz", "/vision/healthz"),
        ("/vision", "/vision/healthz", "/vision/healthz"),
        ("/vision", "/visions", "/vision/visions"),
        ("/v1", "/v1/tasks", "/v1/v1/tasks"),
        ("/v1", "/v1/v1/tasks", "/v1/v1/tasks"),
        ("/v1", "/v1/healthz", "/v1/healthz"),
        ("/healthz", "/healthz", "/healthz/healthz"),
        ("/healthz", "/healthz/healthz", "/healthz/healthz"),
        ("/v1/tasks/a", "/v1/tasks/a", "/v1/tasks/a/v1/tasks/a"),
    ],
)
@pytest.mark.anyio
async def test_a_path_is_full_whether_or_not_its_prefix_was_stripped(
    root_path: str, path: str, full: str
) -> None:
    assert await full_path(root_path, path) == full


@pytest.mark.parametrize("root_path", ["/v1/tasks"])
def test_a_prefix_after_which_a_route_reads_like_another_is_refused(root_path: str) -> None:
    with pytest.raises(ConfigError, match=f"root_path {root_path} reads like a route: {root_path}/healthz"):
        check_root_path(root_path, application().routes)


@pytest.mark.parametrize("root_path", ["/vision", "/v1", "/healthz", "/v1/tasks/a", "/a/b"])
def test_other_prefixes_are_not(root_path: str) -> None:
    check_root_path(root_path, application().routes)
