from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from service.access.scope import Scope
from service.http.routes.lean import add_route

pytestmark = pytest.mark.anyio


class Endpoint:
    """Counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, _: Request) -> Response:
        self.runs += 1
        return Response("ran")


class Guard:
    """Notes what it is asked, and lets in or not."""

    def __init__(self, *, lets_in: bool) -> None:
        self.asked: list[Scope] = []
        self._lets_in = lets_in

    async def check(self, _: Request, scope: Scope) -> None:
        self.asked.append(scope)
        if not self._lets_in:
            raise HTTPException(401)


async def status(app: FastAPI, method: str) -> int:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.request(method, "/x")).status_code


@pytest.mark.parametrize(("added", "asked"), [("GET", "GET"), ("GET", "HEAD"), ("POST", "POST")])
@pytest.mark.parametrize("lets_in", [True, False])
async def test_the_endpoint_runs_only_once_the_guard_let_the_request_in(
    added: str, asked: str, *, lets_in: bool
) -> None:
    app, guard, endpoint = FastAPI(), Guard(lets_in=lets_in), Endpoint()
    add_route(app, guard.check, added, "/x", endpoint.run, needs=Scope.ADMIN)

    assert await status(app, asked) == (200 if lets_in else 401)
    assert endpoint.runs == (1 if lets_in else 0)
    assert guard.asked == [Scope.ADMIN]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_route_that_needs_no_scope_asks_no_guard(method: str) -> None:
    app, guard, endpoint = FastAPI(), Guard(lets_in=False), Endpoint()
    add_route(app, guard.check, "GET", "/x", endpoint.run, needs=None)

    assert await status(app, method) == 200
    assert not guard.asked


@pytest.mark.parametrize(
    "unknown",
    [{"dependencies": []}, {"status_code": 201}, {"response_class": Response}, {"made_up": 1}],
    ids=lambda unknown: next(iter(unknown)),
)
def test_what_a_lean_route_cannot_honour_is_refused(unknown: dict[str, Any]) -> None:
    app = FastAPI()
    before = list(app.routes)

    with pytest.raises(TypeError, match=f"cannot honour {next(iter(unknown))}"):
        add_route(app, Guard(lets_in=True).check, "GET", "/x", Endpoint().run, needs=None, **unknown)
    assert app.routes == before


def test_the_scope_must_be_said() -> None:
    with pytest.raises(TypeError, match="needs"):
        add_route(FastAPI(), Guard(lets_in=True).check, "GET", "/x", Endpoint().run)  # type: ignore[call-arg]
