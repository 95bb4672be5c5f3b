from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.edge.ray_proxy import ProxyProblems, middlewares
from service.http.problem_json import http_problem

pytestmark = pytest.mark.anyio


def answering(response: ASGIApp | None, ids: Sequence[str] = ()) -> ASGIApp:
    """A proxy that sends a response, or returns without one; the ids it was given are added to `ids`."""

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(ids, list):
            ids.extend(value.decode() for name, value in scope["headers"] if name == b"x-request-id")
        if response is not None:
            await response(scope, receive, send)

    return proxy


async def ask(proxy: ASGIApp, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(ProxyProblems(proxy))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.post("/v1/tasks/a/classify", headers=headers)


@pytest.mark.parametrize(
    ("own", "status", "code", "retry_after"),
    [
        (None, 503, "replica_lost", "5"),
        (PlainTextResponse("timed out", 408), 504, "deadline_exceeded", None),
        (PlainTextResponse("backpressure", 429), 429, "overloaded", "1"),
        (PlainTextResponse("no replicas", 503), 503, "not_ready", "5"),
        (PlainTextResponse("no route", 404), 404, "not_found", None),
        (PlainTextResponse("fault", 500), 500, "internal_server_error", None),
    ],
)
async def test_the_proxy_s_own_errors_are_problems(
    own: ASGIApp | None, status: int, code: str, retry_after: str | None
) -> None:
    answer = await ask(answering(own))

    body = answer.json()
    assert (answer.status_code, body["code"], body["status"]) == (status, code, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("retry-after") == retry_after
    assert answer.headers["x-request-id"] == body["request_id"]


@pytest.mark.parametrize(
    "response",
    [
        JSONResponse({"task": "a"}),
        PlainTextResponse("# metrics"),
        http_problem(404, "there is nothing", request_id="1"),
    ],
)
async def test_the_service_s_answers_pass_as_they_are(response: Any) -> None:
    answer = await ask(answering(response))

    assert (answer.status_code, answer.content) == (response.status_code, response.body)


@pytest.mark.parametrize(("given", "kept"), [("trace-1", True), ("not sane", False)])
async def test_one_id_goes_to_the_replica_and_back(given: str, kept: bool) -> None:
    ids: list[str] = []
    response = JSONResponse({}, headers={"X-Request-ID": "the replica's"})

    answer = await ask(answering(response, ids), **{"x-request-id": given})

    assert answer.headers.get_list("x-request-id") == ids
    assert len(ids) == 1
    assert (ids[0] == given) is kept


async def test_other_protocols_pass() -> None:
    seen: list[str] = []

    async def proxy(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    await ProxyProblems(proxy)({"type": "websocket"}, None, None)  # type: ignore[arg-type]

    assert seen == ["websocket"]


def test_ray_gets_its_middleware() -> None:
    assert [str(each) for each in middlewares()] == ["Middleware(ProxyProblems)"]
