"""From the start of a service to its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from service.access.keyring import Keyring
from service.answers.feedback import Feedback
from service.http.describe import would_answer
from service.loop_lag import watch_lag
from service.peers.peers import Peers
from service.peers.question import Serving
from service.residents.registry import Registry
from service.startup import Startup
from service.wiring.parts import Parts
from service.wiring.threads import alone
from service.workers.membership import Membership

CLOSE_S = 0.5


@asynccontextmanager
async def lifespan(
    parts: Parts,
    feedback: Feedback,
    peers: Peers,
    *,
    keyring: Keyring | None,
    membership: Membership | None,
) -> AsyncIterator[None]:
    """Start everything that runs beside requests, and end it."""
    alone()  # this thread decodes small pictures
    startup = Startup(parts.lifecycle, parts.engine, parts.threads.engine, parts.batcher, parts.watch)
    background = asyncio.create_task(startup.run())
    watching = _watching(parts, keyring, membership)
    try:
        async with peers.answering(partial(_answering, parts.registry), feedback.routes()):
            if membership and membership.replaces:
                await parts.lifecycle.started()
            yield
    finally:
        parts.batcher.close()
        for task in watching:
            task.cancel()
        background.cancel()
        with suppress(asyncio.CancelledError):
            await background
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await parts.residency.close()
        parts.decode_threads.close()
        parts.threads.close()


def _watching(
    parts: Parts, keyring: Keyring | None, membership: Membership | None
) -> list[asyncio.Task[None]]:
    """What goes on beside everything else, from the start to the end."""
    runs = [watch_lag(parts.metrics.loop_lag_seconds), parts.traffic.run()]
    if keyring:
        runs.append(keyring.follow())
    if membership:
        runs += [membership.run(parts.lifecycle), parts.metrics.sample()]
    return [asyncio.create_task(run) for run in runs]


def _answering(registry: Registry, task: str) -> Serving:
    return would_answer(registry.state(task)) if task in registry.tasks else {}
