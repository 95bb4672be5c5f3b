"""A route whose endpoint takes the request and gives the response, without the framework's binding.

FastAPI documents it like any other; its checks are ours (`service.http.request`), and what they cost is paid
once.
"""

from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from functools import partial, wraps
from typing import Any, TypedDict, Unpack

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from service.access.scope import Scope
from service.http.guard import Guard
from service.http.openapi import security_of
from service.http.origin import require_own_origin
from service.http.request_log import note_of

Endpoint = Callable[[Request], Awaitable[Response]]
LOOKS = ("GET", "HEAD")


class Description(TypedDict, total=False):
    """What OpenAPI tells of a route. Nothing here changes what the route does."""

    response_model: Any
    responses: dict[int | str, dict[str, Any]]
    openapi_extra: dict[str, Any]
    tags: list[str | Enum]
    include_in_schema: bool


class LeanRoute(APIRoute):
    """Calls its endpoint with the request and nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


def add_route(
    app: FastAPI,
    guard: Guard,
    method: str,
    path: str,
    endpoint: Endpoint,
    *,
    needs: Scope | None,
    **described: Unpack[Description],
) -> None:
    """Add a lean route, with HEAD beside GET, whose endpoint runs only once `guard` let the request in.

    A route that needs no scope is open to all. Whatever an admin asks for but looks is written to the audit
    trail, under the name of its endpoint. Raises TypeError for whatever else FastAPI's routes take
    (`dependencies`, `status_code`, …): a lean route would document it and not do it.
    """
    unknown = sorted(described.keys() - Description.__annotations__.keys())
    if unknown:
        raise TypeError(f"a lean route cannot honour {', '.join(unknown)}")
    audited = needs is Scope.ADMIN and method not in LOOKS
    guarded = endpoint if needs is None else _guarded(endpoint, guard, needs, audited=audited)
    described["openapi_extra"] = {**described.get("openapi_extra", {}), "security": security_of(needs)}
    answers_json = described.get("response_model") is not None
    add = partial(
        app.router.add_api_route,
        path,
        guarded,
        route_class_override=LeanRoute,
        response_class=JSONResponse if answers_json else Response,
    )
    add(methods=[method], **described)
    if method == "GET":
        add(methods=["HEAD"], include_in_schema=False)


def _guarded(endpoint: Endpoint, guard: Guard, needs: Scope, *, audited: bool) -> Endpoint:
    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        if audited:
            note_of(request.scope).action = endpoint.__name__
        ended = await guard(request, needs)
        try:
            if audited:
                require_own_origin(request)
            return await endpoint(request)
        finally:
            if ended is not None:
                ended()

    return guarded
