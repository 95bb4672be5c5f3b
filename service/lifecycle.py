"""Whether the service answers: starting → ready → lame duck → draining, or failed."""

import asyncio
import logging
from collections.abc import Callable
from enum import StrEnum

from service.errors import DeviceLost, Draining, Starting
from service.logs import log_event

logger = logging.getLogger("service.lifecycle")


class Phase(StrEnum):
    """What `/readyz` tells."""

    STARTING = "starting"
    READY = "ready"
    LAME_DUCK = "lame_duck"
    DRAINING = "draining"
    FAILED = "failed"


class Lifecycle:
    """The phase of one process. A failed service ends itself, with an exit code that says so."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.reason = "the backbone and the adapters are being loaded"
        self.on_change: list[Callable[[Phase], None]] = []
        self._settled = asyncio.Event()
        self._others = ""
        self._others_start = False

    @property
    def exit_code(self) -> int:
        """What the process is to end with."""
        return 1 if self.phase is Phase.FAILED else 0

    @property
    def told(self) -> str:
        """The reason for the phase, and what is known of the other processes of the same address."""
        return f"{self.reason}; {self._others}" if self._others else self.reason

    def wait_for_others(self, told: str) -> None:
        """Processes that serve the same address are not ready yet: requests are answered, not yet wanted."""
        self._others, self._others_start = told, True

    def others_are_ready(self, told: str) -> None:
        """All were ready, and enough of them are."""
        self._others, self._others_start = told, False

    async def started(self) -> None:
        """Return once the service is ready, or will not be."""
        await self._settled.wait()

    def become_ready(self) -> None:
        """Backbone and adapters are in."""
        if self.phase is Phase.STARTING:
            self._become(Phase.READY, "answering requests")

    def leave(self) -> None:
        """Ask for no more requests, and answer those that come all the same."""
        if self.phase is Phase.READY:
            self._become(Phase.LAME_DUCK, "the process is about to end; what comes is still answered")

    def drain(self) -> None:
        """Admit nothing more; what is admitted will be finished."""
        if self.phase in (Phase.STARTING, Phase.READY, Phase.LAME_DUCK):
            self._become(Phase.DRAINING, "the process is about to end")

    def fail(self, reason: str) -> None:
        """Give up: a new process is needed."""
        if self.phase is not Phase.FAILED:
            self._become(Phase.FAILED, reason)

    def require_started(self) -> None:
        """Raise Starting until it is known what tasks there are."""
        if self.phase is Phase.STARTING:
            raise Starting(self.reason)

    def require_admitting(self) -> None:
        """Raise Starting, Draining or DeviceLost unless requests are admitted."""
        if self.phase not in (Phase.READY, Phase.LAME_DUCK):
            self.require_ready()

    def require_ready(self) -> None:
        """Raise Starting, Draining or DeviceLost unless requests are wanted."""
        if self.phase is Phase.READY and self._others_start:
            raise Starting(self._others)
        if self.phase is Phase.READY:
            return
        self.require_started()
        raise DeviceLost(self.reason) if self.phase is Phase.FAILED else Draining(self.reason)

    def _become(self, phase: Phase, reason: str) -> None:
        self.phase, self.reason = phase, reason
        self._settled.set()
        level = logging.ERROR if phase is Phase.FAILED else logging.INFO
        log_event(logger, level, phase, reason=reason)
        for tell in self.on_change:
            tell(phase)
