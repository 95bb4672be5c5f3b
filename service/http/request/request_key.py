"""By what the requests that belong together are known, so that one version answers them."""

from starlette.types import Scope

HEADER = b"x-request-key"


def request_key(scope: Scope) -> bytes | None:
    """The `X-Request-Key` of a request, the first where there are several; None without one."""
    for name, value in scope["headers"]:
        if name == HEADER:
            found: bytes = value
            return found
    return None
