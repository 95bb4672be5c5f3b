"""Which pages may change something by a browser that has no key to show."""

from starlette.requests import Request

from service.errors import NotAllowed
from service.http.key_guard import KEY


def require_own_origin(request: Request) -> None:
    """Raise NotAllowed for what a page of another origin sends by the browser of somebody near.

    A service without keys is for whoever reaches its address, and a browser there sends forms for any page.
    With a key nobody is taken in: browsers do not add one.
    """
    origin = request.headers.get("origin")
    if origin is None or KEY in request.scope or origin.partition("://")[2] == request.headers.get("host"):
        return
    raise NotAllowed("a page of another origin changes nothing here without a key")
