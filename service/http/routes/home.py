"""The root of the service."""

from fastapi import FastAPI, Request, Response
from starlette.responses import RedirectResponse

from service.http.guard import Guard
from service.http.routes.lean import add_route


def add_home_route(app: FastAPI, guard: Guard) -> None:
    """Add `/`, which leads to the documentation."""

    async def home(_: Request) -> Response:
        """To `/docs`, relative: a proxy may have stripped a prefix."""
        return RedirectResponse("docs")

    add_route(app, guard, "GET", "/", home, needs=None, include_in_schema=False)
