"""Whether a label's version can answer now; one that is not in memory is read beside the requests."""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Literal

from adapters.errors import DvptError
from service.residents.registry import Registry
from service.traffic.tally import Tally, holds

Standing = Literal["ready", "refused", "loading"]


class Standings:
    """Asks the registry, which raises TaskNotFound; no request waits for what it begins."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._loads: dict[tuple[str, int], asyncio.Task[None]] = {}

    def of(self, tally: Tally, *, spare: bool = False) -> Standing:
        """How the label's version stands; with `spare` it is read only where that drives nothing out."""
        state = self._registry.state(tally.task)
        if not holds(tally, state.record):
            return "loading"  # another version is, or none any more
        refusal = state.refusals.get(tally.version)
        if refusal is None:
            resident = state.serving.get(tally.label) or state.residents.get(tally.version)
            if resident is not None and resident.version == tally.version:
                return "ready"
        if refusal is None or monotonic() >= refusal.retry_at_s:
            self._read(tally, spare)
        return "loading" if refusal is None else "refused"

    def _read(self, tally: Tally, spare: bool) -> None:
        key = tally.task, tally.version
        if key not in self._loads and not (spare and self._registry.host_full):
            self._loads[key] = asyncio.create_task(self._load(tally))
            self._loads[key].add_done_callback(lambda _: self._loads.pop(key))

    async def _load(self, tally: Tally) -> None:
        with suppress(DvptError):  # reported where it was found
            await self._registry.load(tally.task, tally.label)
