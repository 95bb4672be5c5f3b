"""Every route behind keys: none, another's, another scope's, revoked; and what a key may see."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from adapters.store.store import Store
from service.access.key_record import KeyRecord
from service.access.scope import Scope
from service.access.secret import KeyText, new_key_text
from service.app import create_service
from service.settings import settings_from
from tests.support.keys import CREATED, key_file, new_key

pytestmark = pytest.mark.anyio


def application(store: Store, folder: Path, *records: KeyRecord) -> FastAPI:
    file = key_file(folder, *records)
    settings = settings_from({"store": store.url, "device": "cpu", "keys": str(file.path)})
    engine = cast("Any", type("Engine", (), {"stage": lambda image: image}))
    service = create_service(settings, store, lambda *_: engine)
    service.lifecycle.become_ready()
    return service.app


def bearer(key: KeyText) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


OPEN = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}


async def closed_routes(client: httpx.AsyncClient) -> list[tuple[str, str, Scope]]:
    """What the OpenAPI document says of every route that asks for a key."""
    document = (await client.get("/openapi.json")).json()
    operations = [
        (method.upper(), path, operation["security"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert {path for _, path, needs in operations if not needs} == OPEN
    return [(method, path, Scope(needs[0]["bearer"][0])) for method, path, needs in operations if needs]


async def test_every_route_of_the_document_needs_a_valid_key_with_its_scope(
    store: Store, tmp_path: Path
) -> None:
    keys = {scope: new_key(scopes=[scope]) for scope in Scope}
    gone, revoked = new_key(scopes=["admin"], revoked=CREATED)
    late, expired = new_key(scopes=["admin"], expires=CREATED)
    app = application(store, tmp_path, revoked, expired, *(record for _, record in keys.values()))
    async with asking(app) as client:
        routes = await closed_routes(client)
        assert {path for _, path, _ in routes} >= {"/metrics", "/v1/tasks", "/v1/tasks/{task}/classify"}
        assert ("PUT", "/v1/tasks/{task}/labels/{label}/thresholds", Scope.ADMIN) in routes
        for method, path, needs in routes:
            url = path.format(task="made-up", version=1, label="stable", sha256="0" * 64)
            if method in ("PUT", "DELETE"):
                assert needs is Scope.ADMIN, (method, path)
            without = await client.request(method, url)
            assert (without.status_code, without.json()["code"]) == (401, "unauthenticated"), path
            assert without.headers["www-authenticate"] == 'Bearer realm="dvpt"'
            for wrong in (gone, late, new_key_text(), KeyText(gone.id, new_key_text().secret)):
                refused = await client.request(method, url, headers=bearer(wrong))
                assert refused.status_code == 401, (path, wrong.id)
                assert 'error="invalid_token"' in refused.headers["www-authenticate"]
                assert wrong.secret not in refused.text
            for scope, (text, _) in keys.items():
                answer = await client.request(method, url, headers=bearer(text))
                allowed = scope in (needs, Scope.ADMIN)
                assert (answer.status_code == 403) is not allowed, (path, scope)
                assert answer.status_code != 401


async def test_what_is_open_needs_no_key(store: Store, tmp_path: Path) -> None:
    async with asking(application(store, tmp_path)) as client:
        statuses = [(await client.get(path)).status_code for path in ("/healthz", "/readyz", "/docs")]
    assert statuses == [200, 200, 200]


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Basic {key}"}, {"Authorization": "{key}"}, {"Authorization": "Bearer"},
     {"Authorization": "Bearer {key}x"}, {"Cookie": "key={key}"}, {"X-Forwarded-User": "{key}"}],
)  # fmt: skip
async def test_a_key_shown_in_another_way_is_none(
    store: Store, tmp_path: Path, headers: dict[str, str]
) -> None:
    text, key = new_key()
    async with asking(application(store, tmp_path, key)) as client:
        shown = {name: value.format(key=text) for name, value in headers.items()}
        assert (await client.get("/v1/tasks", headers=shown)).status_code == 401
        assert (await client.get(f"/v1/tasks?key={text}")).status_code == 401


async def test_a_key_is_shown_in_one_of_two_headers_or_in_both(store: Store, tmp_path: Path) -> None:
    (text, key), (other, _) = new_key(), new_key()
    async with asking(application(store, tmp_path, key)) as client:
        one, two = {"x-api-key": str(text)}, {"authorization": f"bearer {text}", "X-API-KEY": str(text)}
        for headers in (one, two):
            assert (await client.get("/v1/tasks", headers=headers)).status_code == 200
        both = bearer(text) | {"X-API-Key": str(other)}
        refused = await client.get("/v1/tasks", headers=both)
        assert (refused.status_code, refused.json()["detail"]) == (401, "two different keys were sent")


async def test_a_key_is_for_its_tasks_whether_they_are_there_or_not(store: Store, tmp_path: Path) -> None:
    text, key = new_key(tasks=["retail-*"])
    async with asking(application(store, tmp_path, key)) as client:
        for path in ("/v1/tasks/eurosat", "/v1/tasks/retail", "/v1/tasks/eurosat%2Fretail-a", "/v1/tasks/.."):
            answer = await client.get(path, headers=bearer(text))
            assert answer.status_code in (403, 404), path
            assert "tasks" not in answer.json(), path
        assert (await client.get("/v1/tasks/eurosat", headers=bearer(text))).status_code == 403
        unknown = await client.get("/v1/tasks/retail-x", headers=bearer(text))
        assert (unknown.status_code, unknown.json()["code"]) == (404, "task_not_found")


async def test_a_key_over_its_rate_is_told_when_to_come_again(store: Store, tmp_path: Path) -> None:
    text, key = new_key(requests_per_s=1)
    async with asking(application(store, tmp_path, key)) as client:
        answers = [await client.get("/v1/tasks", headers=bearer(text)) for _ in range(4)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].json()["code"] == "key_over_limit"
    assert int(refused[0].headers["retry-after"]) >= 1


async def test_the_document_tells_how_a_key_is_shown(store: Store, tmp_path: Path) -> None:
    async with asking(application(store, tmp_path)) as client:
        document = (await client.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"].keys() == {"bearer", "header"}
    assert document["security"] == [{"bearer": []}, {"header": []}]
