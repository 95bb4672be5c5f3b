"""What rules call for is done in the store, once, and written down."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from adapters.errors import DvptError
from adapters.store.label_rules import LabelRules
from adapters.store.store import Store
from adapters.store.traffic_rules import out_of_traffic
from service.audit import Audit
from service.logs import log_event
from service.metrics import Metrics
from service.residents.storage_threads import read_store
from service.traffic.tally import Change, Tally

logger = logging.getLogger("service.traffic")
WHO = "rule"
RETRY_S = 30.0
"""Pause after a store that could not be reached."""


class Decisions:
    """Acts on what is due; whichever process comes first moves the label, and the others find it moved.

    `code_of` gives the code of an error, for the audit trail.
    """

    def __init__(
        self,
        store: Store,
        *,
        loader: Executor,
        audit: Audit,
        metrics: Metrics,
        code_of: Callable[[Exception], str],
    ) -> None:
        self._store = store
        self._loader = loader
        self._audit = audit
        self._metrics = metrics
        self._code_of = code_of
        self._acting: set[asyncio.Task[None]] = set()

    def look(self, tally: Tally) -> None:
        """Begin what is due, if nothing was begun."""
        if tally.decided:
            return
        change = tally.due
        if change is not None:
            tally.decided = True
            acting = asyncio.create_task(self._act(tally, change))
            self._acting.add(acting)
            acting.add_done_callback(self._acting.discard)

    async def _act(self, tally: Tally, change: Change) -> None:
        act = partial(self._promote if change == "promote" else self._roll_back, tally)
        try:
            changed = await read_store(self._loader, self._metrics, f"{tally.task}/{tally.label}", act)
        except (DvptError, OSError) as error:
            if isinstance(error, OSError):
                asyncio.get_running_loop().call_later(RETRY_S, setattr, tally, "decided", False)
            await self._tell(tally, change, self._code_of(error))
        else:
            if changed:
                await self._tell(tally, change, "done")

    def _promote(self, tally: Tally) -> bool:
        return self._store.promote(tally.task, tally.label, tally.version, past=tally.past)

    def _roll_back(self, tally: Tally) -> bool:
        """Whether this was the one that took the label out of the traffic."""
        was_in = False

        def out(rules: LabelRules) -> LabelRules:
            nonlocal was_in
            was_in = rules.traffic == tally.traffic  # else somebody has ruled otherwise meanwhile
            return out_of_traffic(rules) if was_in else rules

        self._store.rule(tally.task, tally.label, out, version=tally.version)
        return was_in

    async def _tell(self, tally: Tally, change: Change, result: str) -> None:
        facts = {
            "label": tally.label,
            "version": tally.version,
            "past": tally.past,
            "pictures": tally.pictures,
            "agreed": tally.agreed,
            "requests": tally.requests,
            "errors": tally.errors,
        }
        self._metrics.traffic_changes.labels(change, "done" if result == "done" else "failed").inc()
        level = logging.WARNING if result != "done" or change == "roll_back" else logging.INFO
        log_event(logger, level, change, task=tally.task, result=result, **facts)
        await self._audit.write(WHO, change, tally.task, result, **facts)
