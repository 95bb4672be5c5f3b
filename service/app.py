"""Wiring: settings in, application out. No logic of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from fastapi import FastAPI

from adapters.pictures.decode import silence_pillow
from adapters.store.store import Store
from service.access.key_file import KeyFile
from service.access.keyring import Keyring
from service.answers.feedback import Feedback
from service.answers.feedback_counts import FeedbackCounts
from service.engine.choice import make_engine
from service.http.application import Application
from service.http.audit_trail import AuditTrail
from service.http.edge.connections import Connections
from service.http.edge.limits import EdgeLimits
from service.http.guard import Guard, allow_all
from service.http.handlers import problem_answers
from service.http.key_guard import KeyGuard
from service.http.openapi import complete_openapi
from service.http.root_path import check_root_path
from service.lifecycle import Lifecycle
from service.metrics import Metrics, distribution_version
from service.peers.peers import Peers
from service.settings import Settings
from service.wiring.endpoints import add_endpoints
from service.wiring.lifespan import lifespan
from service.wiring.limits import edge_limits
from service.wiring.parts import NewEngine, make_parts
from service.workers.membership import Membership

ALONE = Peers()


@dataclass(frozen=True)
class Service:
    """An application, and the lifecycle and the limits of connections that whoever runs it must keep.

    `admitted_pictures` counts those admitted and not yet answered.
    """

    app: FastAPI
    lifecycle: Lifecycle
    connections: Connections = field(default_factory=lambda: Connections(EdgeLimits()))
    metrics: Metrics = field(default_factory=Metrics)
    admitted_pictures: Callable[[], int] = lambda: 0


def create_service(
    settings: Settings,
    store: Store,
    new_engine: NewEngine = make_engine,
    *,
    guard: Guard | None = None,
    peers: Peers = ALONE,
    membership: Membership | None = None,
) -> Service:
    """Wire the service of one store, behind the settings' keys or another `guard`.

    `peers` are the other processes of the same address, and `membership` what the supervisor of a worker
    hears of it.

    Raises ConfigError for a device, an engine or an audit file that cannot be used, and for a prefix that
    reads like a route; KeyFileUnusable.
    """
    keyring = None if settings.keys is None else Keyring(KeyFile(settings.keys))
    guard = guard or (allow_all if keyring is None else KeyGuard(keyring))
    silence_pillow()
    parts = make_parts(settings, store, new_engine, membership)
    feedback = Feedback(
        parts.observer.recent, FeedbackCounts(parts.metrics), parts.registry, peers, parts.metrics
    )

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        async with lifespan(parts, feedback, peers, keyring=keyring, membership=membership):
            yield

    app = Application(
        problem_answers(parts.registry),
        prefix=settings.root_path,
        access_log=settings.access_log,
        audited=partial(AuditTrail, audit=parts.audit, anonymous="unknown" if keyring else "insecure"),
        title="DVPT Serve",
        summary="Many image-classification tasks on one frozen Vision Transformer",
        version=distribution_version(),
        redirect_slashes=False,
        lifespan=living,
    )
    add_endpoints(app, guard, settings, parts, feedback, peers)
    complete_openapi(app, with_keys=keyring is not None)
    if settings.root_path:
        check_root_path(settings.root_path, app.routes)
    connections = Connections(edge_limits(settings))
    parts.metrics.connections.set_function(lambda: len(connections))
    return Service(app, parts.lifecycle, connections, parts.metrics, lambda: parts.batcher.admitted)
