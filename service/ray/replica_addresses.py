"""Where the other replicas of the deployment are, as Ray knows them."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from service.peers.addresses import Address

KEPT_S = 1.0
TIMEOUT_S = 0.5


class ReplicaAddresses:
    """Asks Ray's running replicas for their addresses, at most once in a while.

    A replica that is being started is none yet: Ray routes nothing to it.
    """

    def __init__(self, own: Address) -> None:
        self._own = own
        self._asked_s = float("-inf")
        self._handle: Any = None
        self._others: list[Address | None] = []

    async def others(self) -> Sequence[Address | None]:
        """Every running replica but this one; None for one that does not tell where it is."""
        if monotonic() - self._asked_s > KEPT_S:
            self._asked_s = monotonic()
            self._others = await self._ask()
        return self._others

    async def _ask(self) -> list[Address | None]:
        if self._handle is None:
            context = serve.get_replica_context()
            self._handle = serve.get_deployment_handle(context.deployment, context.app_name)
        asked = self._handle.broadcast("peer_address")
        try:
            told = await asked.results_async(timeout_s=TIMEOUT_S, return_exceptions=True)
        except (TimeoutError, RayError, RayServeException):  # one that hangs hides the others: still there
            return self._others
        known = [address if isinstance(address, Address) else None for address in told]
        return [address for address in known if address != self._own]
