import asyncio
import logging
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI, Request

from adapters.store.store import Store
from service.access.scope import Scope
from service.app import create_service
from service.errors import OutOfDeviceMemory
from service.logs import LineFormatter
from service.settings import settings_from

pytestmark = pytest.mark.anyio
SECRET = "s3cr3t"


async def guard(request: Request, _: Scope) -> None:
    """Fails as the request's header asks."""
    match request.headers.get("fail"):
        case "fault":
            raise ValueError("boom")
        case "memory":
            raise OutOfDeviceMemory("the batch does not fit") from RuntimeError("CUDA")
        case "cancel":
            raise asyncio.CancelledError


def application(store: Store, **settings: Any) -> FastAPI:
    engine = cast("Any", type("Engine", (), {"stage": lambda image: image}))
    chosen = settings_from({"store": store.url, "device": "cpu", **settings})
    service = create_service(chosen, store, lambda *_: engine, guard=guard)
    service.lifecycle.become_ready()
    return service.app


async def ask(app: FastAPI, method: str, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, path, headers=headers)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    written = [LineFormatter().format(record) for record in caplog.records if record.name == "service.http"]
    caplog.clear()
    return written


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize(
    ("method", "path", "fail", "status", "code", "level"),
    [
        ("GET", "/nothing", "", 404, "not_found", "INFO"),
        ("DELETE", "/v1/tasks", "", 405, "method_not_allowed", "INFO"),
        ("GET", "/v1/tasks/pets", "", 404, "task_not_found", "INFO"),
        ("POST", "/v1/tasks/pets/classify", "", 400, "bad_query", "INFO"),
        ("POST", "/v1/tasks/pets/classify", "memory", 503, "out_of_memory", "WARNING"),
        ("POST", "/v1/tasks/pets/classify", "cancel", 503, "draining", "WARNING"),
        ("POST", "/v1/tasks/pets/classify", "fault", 500, "internal", "ERROR"),
        ("GET", "/v1/tasks", "fault", 500, "internal", "ERROR"),
    ],
)
async def test_a_failed_request_has_its_id_in_header_problem_and_one_line(
    method: str,
    path: str,
    fail: str,
    status: int,
    code: str,
    level: str,
    store: Store,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await ask(application(store), method, f"{path}?key={SECRET}", fail=fail, authorization=SECRET)

    request_id = answer.headers["x-request-id"]
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["request_id"] == request_id
    (line,) = lines(caplog)
    assert f" {level} service.http request_failed id={request_id} method={method} status={status} " in line
    assert f" code={code}" in line
    assert " duration_ms=" in line
    assert " task=pets " in line if "pets" in path else f" path={path} " in line
    assert SECRET not in line
    assert ("boom" in line) == (fail == "fault")
    assert ("CUDA" in line) == (fail == "memory")


async def test_the_clients_id_is_kept(store: Store) -> None:
    answer = await ask(application(store), "GET", "/healthz", **{"x-request-id": "abc-1"})

    assert answer.headers.get_list("x-request-id") == ["abc-1"]


async def test_answers_are_logged_where_that_is_wanted_and_probes_never(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(application(store), "GET", "/v1/tasks")
    assert len(answer.headers["x-request-id"]) == 32
    assert (await ask(application(store), "GET", "/readyz")).status_code == 200
    assert lines(caplog) == []

    await ask(application(store, access_log=True), "GET", "/v1/tasks")
    (line,) = lines(caplog)
    assert " INFO service.http request id=" in line
    assert " status=200 path=/v1/tasks " in line
    assert " client=127.0.0.1" in line


async def test_what_a_client_asks_for_is_cut(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await ask(application(store), "GET", "/v1/tasks/" + "x" * 5000)

    (line,) = lines(caplog)
    assert len(line) < 500
