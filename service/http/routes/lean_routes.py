"""Lean routes answered at once, without what the framework's layers do for each request."""

import re
from collections.abc import Sequence

from fastapi import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.handlers import ANSWERED, AnswerError
from service.http.root_path import path_below_root
from service.http.routes.lean import Endpoint, LeanRoute


class LeanRoutes:
    """ASGI: calls the endpoint of a lean route, and passes on every other request.

    `answer_error` answers what the endpoint raises for that; any other error goes up.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], answer_error: AnswerError) -> None:
        self._app = app
        self._answer_error = answer_error
        self._endpoints: dict[str, list[tuple[re.Pattern[str], Endpoint]]] = {}
        for route in routes:
            if isinstance(route, LeanRoute):
                for method in route.methods or ():
                    self._endpoints.setdefault(method, []).append((route.path_regex, route.endpoint))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        endpoint = self._find(scope) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except ANSWERED as error:
            response = self._answer_error(request, error)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Endpoint | None:
        """The endpoint of a request, whose path's parameters stand in the scope then."""
        path = path_below_root(scope)
        for pattern, endpoint in self._endpoints.get(scope["method"], ()):
            match = pattern.match(path)
            if match is not None:
                scope["path_params"] = match.groupdict()
                return endpoint
        return None
