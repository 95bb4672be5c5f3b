"""The prefix of a reverse proxy, which it strips or leaves in place."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.errors import ConfigError


class RootPath:
    """Gives each request its full path, as ASGI has it, whatever the proxy did with the prefix.

    A path that is a route as it came had its prefix stripped, even where it begins like the prefix.
    """

    def __init__(self, app: ASGIApp, root_path: str, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._root_path = root_path
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under the prefix."""
        if scope["type"] == "http":
            path = scope["path"]
            scope["root_path"] = self._root_path
            if not _is_under(path, self._root_path) or _is_route(path, self._routes):
                scope["path"] = self._root_path + path
        await self._app(scope, receive, send)


def path_below_root(scope: Scope) -> str:
    """The path of a request without the prefix."""
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "")
    return path[len(root_path) :] if root_path and path.startswith(f"{root_path}/") else path


def check_root_path(root_path: str, routes: Sequence[BaseRoute]) -> None:
    """Raise ConfigError for a prefix after which a route would read as another one."""
    for route in routes:
        if isinstance(route, Route) and _is_route(full := root_path + route.path, routes):
            raise ConfigError(
                f"root_path {root_path} reads like a route: {full} would be two things; take another prefix"
            )


def _is_under(path: str, root_path: str) -> bool:
    return path == root_path or path.startswith(f"{root_path}/")


def _is_route(path: str, routes: Sequence[BaseRoute]) -> bool:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": ""}
    return any(route.matches(scope)[0] is not Match.NONE for route in routes)
