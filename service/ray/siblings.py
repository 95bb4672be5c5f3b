"""The running replicas of the deployment, asked through Ray."""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from service.peers.addresses import Address

FAILED = (TimeoutError, RayError, RayServeException)
KEPT_S = 1.0
TIMEOUT_S = 0.5
PAGES_TIMEOUT_S = 5.0


class Siblings:
    """Every running replica, this one included; one that is being started is none yet."""

    def __init__(self) -> None:
        self._handle: Any = None

    async def ask(self, method: str, timeout_s: float) -> list[Any]:
        """What each says, or its exception.

        Raises TimeoutError when one hangs, and Ray's errors when Ray cannot ask.
        """
        if self._handle is None:
            context = serve.get_replica_context()
            self._handle = serve.get_deployment_handle(context.deployment, context.app_name)
        asked = self._handle.broadcast(method)
        return list(await asked.results_async(timeout_s=timeout_s, return_exceptions=True))

    async def metrics_pages(self) -> Mapping[str, str]:
        """Each replica's metrics by its id, without those of who does not answer; none where one hangs."""
        try:
            told = await self.ask("metrics_page", PAGES_TIMEOUT_S)
        except FAILED:
            return {}
        return dict(page for page in told if isinstance(page, tuple))


class SiblingAddresses:
    """Where the others are, asked of Ray at most once in a while."""

    def __init__(self, siblings: Siblings, own: Address) -> None:
        self._siblings = siblings
        self._own = own
        self._asked_s = float("-inf")
        self._others: list[Address | None] = []
        self._asking = asyncio.Lock()

    async def others(self) -> Sequence[Address | None]:
        """Every running replica but this one; None for one that does not tell where it is."""
        async with self._asking:  # who comes while Ray is asked must not take this replica for the only one
            if monotonic() - self._asked_s > KEPT_S:
                self._others = await self._ask()
                self._asked_s = monotonic()
            return self._others

    async def _ask(self) -> list[Address | None]:
        try:
            told = await self._siblings.ask("peer_address", TIMEOUT_S)
        except FAILED:  # one that hangs hides the others: still there
            return self._others
        known = [address if isinstance(address, Address) else None for address in told]
        return [address for address in known if address != self._own]
