"""Who may do what: asked before every endpoint that needs a scope."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from service.http.scope import Scope

Guard = Callable[[Request, Scope], Awaitable[None]]
"""Returns for a request that may use the scope, and raises for one that may not."""


async def allow_all(_request: Request, _scope: Scope) -> None:
    """The guard of a service that asks for no keys."""
