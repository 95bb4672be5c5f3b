"""The guard of a service with keys: who asks, and whether he may.

It stands in the route's own endpoint and reads the path's parameters as the route matched them, and no URL
that is put together from what a client sends (`Host`, `X-Forwarded-*`).
"""

from collections.abc import Callable
from functools import partial
from typing import cast

from starlette.requests import Request
from starlette.types import Scope as Connection

from service.access.key_record import KeyRecord
from service.access.keyring import Keyring
from service.access.scope import Scope
from service.access.shares import KeyShares
from service.errors import NotAllowed, Unauthenticated
from service.http.request_log import note_of

KEY, STILL = "dvpt.key", "dvpt.still"
BEARER = "bearer "
HOW = "send it as `Authorization: Bearer dvpt_…` or `X-API-Key: dvpt_…`"


class KeyGuard:
    """Lets a request in whose key has the scope, for a task of the key's, within the key's limits."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._shares = KeyShares()

    async def __call__(self, request: Request, needs: Scope) -> Callable[[], None]:
        """What ends the request's share. Raises Unauthenticated, NotAllowed and KeyOverLimit."""
        key = request.scope[KEY] = await self._allowed(request, needs)
        request.scope[STILL] = partial(self._allowed, request, needs)
        return self._shares.take(key)

    async def _allowed(self, request: Request, needs: Scope) -> KeyRecord:
        key = await self._keyring.holder(_shown(request))
        if key is None:
            raise Unauthenticated("the key is not known, or it was revoked or has expired", known=False)
        note_of(request.scope).key = key.id
        task = request.scope.get("path_params", {}).get("task")
        if not key.may_use(needs, None):
            raise NotAllowed(f"the key '{key.name}' has not the scope {needs}")
        if not key.may_use(needs, task):
            raise NotAllowed(f"the key '{key.name}' is not for the task '{task}'")
        return key


async def require_still(connection: Connection) -> None:
    """Look again whether the one who asks may: a body took its time. Raises what the guard raises."""
    still = connection.get(STILL)
    if still is not None:
        await still()


def may_see(connection: Connection) -> Callable[[str], bool]:
    """Which tasks the one who asks may know of: all without keys."""
    key = cast("KeyRecord | None", connection.get(KEY))
    return bool if key is None or key.may_see_all else key.may_see


def may_see_all(connection: Connection) -> bool:
    """Whether there is no task that the one who asks may not know of."""
    key = cast("KeyRecord | None", connection.get(KEY))
    return key is None or key.may_see_all


def _shown(request: Request) -> str:
    """The one key that a request shows. Raises Unauthenticated."""
    headers = request.headers
    bearers, plain = headers.getlist("authorization"), headers.getlist("x-api-key")
    for value in bearers:
        if not value.lower().startswith(BEARER):
            raise Unauthenticated(f"this kind of Authorization is not read; {HOW}", known=False)
    shown = {value[len(BEARER) :].strip() for value in bearers} | {value.strip() for value in plain}
    if not shown:
        raise Unauthenticated(f"a key is needed; {HOW}", known=None)
    if len(shown) > 1:
        raise Unauthenticated("two different keys were sent", known=False)
    return shown.pop()
