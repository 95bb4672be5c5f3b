"""On how many of the processes that serve one address a version of a task is ready."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.routing import Route

from service.peers.addresses import Address, Addresses, Alone
from service.peers.listener import Answer, answering_peers
from service.peers.question import Serving, ask, ask_serving

TIMEOUT_S = 0.5


class Told(NamedTuple):
    """What the others answered, by process; `unheard` where one is there and gave no answer in time."""

    answers: list[tuple[Address, Any]]
    unheard: bool


@dataclass(frozen=True)
class Peers:
    """The other processes, and where this one listens for their questions."""

    addresses: Addresses = field(default_factory=Alone)
    listener: socket.socket | None = None
    timeout_s: float = TIMEOUT_S

    async def serving(self, task: str) -> list[Serving | None]:
        """What each other process serves of a task, all asked at once; None of one that did not answer."""
        others = await self.addresses.others()
        return list(await asyncio.gather(*(self._serving(other, task) for other in others)))

    async def told(self, path: str) -> Told:
        """The JSON that each other process answers, all asked at once."""
        others = [other for other in await self.addresses.others() if other is not None]
        heard = await asyncio.gather(*(self._hear(other, path) for other in others))
        answers = [
            (other, answer) for other, (answer, _) in zip(others, heard, strict=True) if answer is not None
        ]
        return Told(answers, any(unheard for _, unheard in heard))

    async def tell(self, address: Address, path: str, method: str) -> Any | None:
        """The JSON that one of them answers; None where it does not."""
        try:
            return await self._ask(address, path, method)
        except (OSError, ValueError):
            return None

    @asynccontextmanager
    async def answering(self, answer: Answer, routes: Sequence[Route] = ()) -> AsyncIterator[None]:
        """Answer their questions within the block, those of `routes` too."""
        async with answering_peers(self.listener, answer, routes) if self.listener else nullcontext():
            yield

    async def _hear(self, address: Address, path: str) -> tuple[Any | None, bool]:
        """The answer, and whether one that is there gave none."""
        try:
            return await self._ask(address, path, "GET"), False
        except (TimeoutError, ValueError):
            return None, True
        except OSError:  # it is gone, and what it knew with it
            return None, False

    async def _ask(self, address: Address, path: str, method: str) -> Any:
        async with asyncio.timeout(self.timeout_s):
            return await ask(address, path, method)

    async def _serving(self, address: Address | None, task: str) -> Serving | None:
        if address is None:
            return None
        try:
            async with asyncio.timeout(self.timeout_s):
                return await ask_serving(address, task)
        except (OSError, ValueError):  # a TimeoutError is an OSError
            return None


@dataclass(frozen=True)
class Readiness:
    """How far all processes are with one task: `all` of them, and those that are `ready`.

    `serving` has for each label how many processes answer with which version.
    """

    all: int
    ready: int
    serving: dict[str, dict[int, int]]


def readiness(labels: Mapping[str, int], processes: Iterable[Serving | None]) -> Readiness:
    """Of what each process serves; one is ready that answers every label with the version it names."""
    every = list(processes)
    known = [serving for serving in every if serving is not None]
    counts: dict[str, Counter[int]] = {}
    for serving in known:
        for label, version in serving.items():
            counts.setdefault(label, Counter())[version] += 1
    return Readiness(
        all=len(every),
        ready=sum(serving == labels for serving in known),
        serving={label: dict(sorted(counts[label].items())) for label in sorted(counts)},
    )
