"""A route whose endpoint takes the request and gives the response, without the framework's binding.

FastAPI documents it like any other; its checks are ours (`service.http.request`), and what they cost is paid
once.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

Endpoint = Callable[[Request], Awaitable[Response]]


class LeanRoute(APIRoute):
    """Calls its endpoint with the request and nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


def add_route(app: FastAPI, method: str, path: str, endpoint: Endpoint, **openapi: Any) -> None:
    """Add a lean route, with HEAD beside GET; `openapi` goes to FastAPI's description of it."""
    add = partial(app.router.add_api_route, path, endpoint, route_class_override=LeanRoute)
    add(methods=[method], **openapi)
    if method == "GET":
        add(methods=["HEAD"], include_in_schema=False)
