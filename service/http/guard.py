"""Who may do what: asked before every endpoint that needs a scope."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from service.access.scope import Scope

Guard = Callable[[Request, Scope], Awaitable[Callable[[], None] | None]]
"""Returns for a request that may use the scope, and raises for one that may not.

What it returns, if anything, is called when the request has been answered.
"""


async def allow_all(_request: Request, _scope: Scope) -> None:
    """The guard of a service that asks for no keys."""
