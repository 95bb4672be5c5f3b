"""Wiring: settings in, application out. No logic of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from fastapi import FastAPI

from adapters.bank.bank import AdapterBank
from adapters.config import BackboneConfig
from adapters.kinds.layout import Layout
from adapters.pictures.decode import silence_pillow
from adapters.store.store import Store
from service.access.key_file import KeyFile
from service.access.keyring import Keyring
from service.batching.batcher import Batcher
from service.descriptors import connection_limit
from service.engine.choice import EngineChoice, choose_engine, largest_batch, make_engine
from service.engine.payloads import Payload, infer_payloads
from service.engine.protocol import Engine, Probabilities
from service.http.application import Application
from service.http.classifier import Classifier
from service.http.decoding.decoder import Decoder
from service.http.decoding.fair_threads import FairThreads
from service.http.describe import would_answer
from service.http.edge.connections import Connections
from service.http.edge.limits import EdgeLimits
from service.http.guard import Guard, allow_all
from service.http.handlers import problem_answers
from service.http.key_guard import KeyGuard
from service.http.openapi import complete_openapi
from service.http.request.body_bytes import BodyBytes
from service.http.request.body_reader import BodyReader
from service.http.request.limits import RequestLimits
from service.http.request_metrics import RequestMetrics
from service.http.root_path import check_root_path
from service.http.routes.classify import add_classify_route
from service.http.routes.health import add_health_routes
from service.http.routes.page import add_page_routes
from service.http.routes.tasks import add_task_routes
from service.lifecycle import Lifecycle
from service.loop_lag import watch_lag
from service.metrics import BatchMetrics, Metrics, distribution_version
from service.peers.peers import Peers
from service.peers.question import Serving
from service.residents.host_memory import HostMemory
from service.residents.preload import Preload
from service.residents.registry import Registry
from service.residents.residency import Residency
from service.residents.storage_threads import StorageThreads
from service.residents.watch import Watch
from service.settings import Settings
from service.startup import Startup
from service.workers.membership import Membership
from service.workers.metric_files import WorkerMetrics

CLOSE_S = 0.5
ClassifyBatcher = Batcher[Payload, Probabilities]
LOADER_THREADS = 8
ALONE = Peers()
NewEngine = Callable[[EngineChoice, Settings, BackboneConfig, AdapterBank], Engine]


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


@dataclass(frozen=True)
class Threads:
    """The engine's one thread, those that write the bank, and those that load from the store and look at it.

    Storage that hangs holds the last two for ever, and nobody else.
    """

    engine: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="engine")
    )
    bank: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, thread_name_prefix="bank"))
    loader: StorageThreads = field(default_factory=lambda: StorageThreads(LOADER_THREADS, "loader"))
    look: StorageThreads = field(default_factory=lambda: StorageThreads(1, "look"))

    def close(self) -> None:
        """Drop what has not begun. Nothing waits for what runs: it may be a load from storage that hangs."""
        self.look.shutdown()
        self.loader.shutdown()
        self.bank.shutdown(wait=False, cancel_futures=True)
        self.engine.shutdown(wait=False, cancel_futures=True)


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

    Raises ConfigError for a device or engine that is not there, and for a prefix that reads like a route;
    KeyFileUnusable.
    """
    keyring = None if settings.keys is None else Keyring(KeyFile(settings.keys))
    guard = guard or (allow_all if keyring is None else KeyGuard(keyring))
    silence_pillow()
    metrics, lifecycle, threads = _metrics(settings, membership), Lifecycle(), Threads()
    lifecycle.on_change.append(metrics.phase_changed)
    choice = choose_engine(settings)
    engine, bank = _engine(choice, settings, store, metrics, new_engine)
    batcher = _batcher(choice, settings, engine, threads, metrics, lifecycle)
    residency = _residency(bank, engine, batcher, threads, metrics, HostMemory(settings.host_bytes))
    preload = Preload(settings.preload, settings.pin)
    registry = Registry(store, residency, preload=preload, loader=threads.loader, metrics=metrics)
    watch = Watch(
        store,
        registry,
        interval_s=settings.watch_interval_s,
        whole_interval_s=settings.whole_look_interval_s,
        forget_after_s=settings.forget_after_s,
        loader=threads.look,
        metrics=metrics,
    )
    decode_threads = FairThreads(settings.decode_threads)
    decoder = Decoder(
        decode_threads,
        image_size=store.backbone.image_size,
        max_pixels=settings.max_pixels,
        stage=engine.stage,
    )
    startup = Startup(lifecycle, engine, threads.engine, batcher, watch)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        background = asyncio.create_task(startup.run())
        watching = _watching(metrics, lifecycle, keyring, membership)
        try:
            async with peers.answering(partial(_answering, registry)):
                if membership and membership.replaces:
                    await lifecycle.started()
                yield
        finally:
            batcher.close()
            for task in watching:
                task.cancel()
            background.cancel()
            with suppress(asyncio.CancelledError):
                await background
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await residency.close()
            decode_threads.close()
            threads.close()

    app = Application(
        problem_answers(registry),
        prefix=settings.root_path,
        access_log=settings.access_log,
        title="DVPT Serve",
        summary="Many image-classification tasks on one frozen Vision Transformer",
        version=distribution_version(),
        redirect_slashes=False,
        lifespan=lifespan,
    )
    classifier = Classifier(lifecycle, registry, decoder, batcher, metrics)
    requests = RequestMetrics(metrics, registry)
    bodies = _body_reader(settings, decode_threads, metrics)
    add_classify_route(app, guard, classifier, requests, bodies)
    add_task_routes(app, guard, registry, peers)
    add_health_routes(app, guard, lifecycle, metrics)
    add_page_routes(app, guard)
    complete_openapi(app, with_keys=keyring is not None)
    if settings.root_path:
        check_root_path(settings.root_path, app.routes)
    connections = Connections(edge_limits(settings))
    metrics.connections.set_function(lambda: len(connections))
    return Service(app, lifecycle, connections, metrics, lambda: batcher.admitted)


def _metrics(settings: Settings, membership: Membership | None) -> Metrics:
    if membership is None:
        metrics = Metrics(settings.metric_tasks)
    else:
        folder = membership.folder.metrics
        metrics = Metrics(settings.metric_tasks, WorkerMetrics(folder, lambda: membership.processes))
        metrics.worker_restarts.inc(membership.replaces)
    metrics.workers.set(settings.workers)
    return metrics


def _watching(
    metrics: Metrics, lifecycle: Lifecycle, keyring: Keyring | None, membership: Membership | None
) -> list[asyncio.Task[None]]:
    """What goes on beside everything else, from the start to the end."""
    runs = [watch_lag(metrics.loop_lag_seconds)]
    if keyring:
        runs.append(keyring.follow())
    if membership:
        runs += [membership.run(lifecycle), metrics.sample()]
    return [asyncio.create_task(run) for run in runs]


def _answering(registry: Registry, task: str) -> Serving:
    return would_answer(registry.state(task)) if task in registry.tasks else {}


def request_limits(settings: Settings) -> RequestLimits:
    """The limits of one request, as the settings have them."""
    return RequestLimits(
        request_bytes=settings.max_request_bytes,
        picture_bytes=settings.max_picture_bytes,
        pictures=settings.max_pictures_per_request,
        upload_timeout_ms=settings.upload_timeout_ms,
        default_timeout_ms=settings.default_timeout_ms,
        max_timeout_ms=settings.max_timeout_ms,
    )


def _body_reader(settings: Settings, threads: FairThreads, metrics: Metrics) -> BodyReader:
    budget = BodyBytes(settings.max_body_bytes_held)
    metrics.body_bytes.set_function(lambda: budget.held)
    metrics.decodes_running.set_function(lambda: threads.running)
    metrics.decodes_waiting.set_function(lambda: threads.waiting)
    return BodyReader(request_limits(settings), budget, threads)


def edge_limits(settings: Settings) -> EdgeLimits:
    """The limits of connections, as the settings and the system have them."""
    return EdgeLimits(
        head_bytes=settings.max_head_bytes,
        head_timeout_s=settings.head_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        send_timeout_s=settings.send_timeout_s,
        half_closed_grace_s=settings.half_closed_grace_s,
        connections=connection_limit(settings.max_connections),
    )


def _engine(
    choice: EngineChoice, settings: Settings, store: Store, metrics: Metrics, new_engine: NewEngine
) -> tuple[Engine, AdapterBank]:
    metrics.engine_info.labels(choice.name, choice.device.type, choice.precision).set(1)
    bank = AdapterBank(
        store.backbone,
        device=choice.device,
        dtype=choice.dtype,
        slots_per_layout=settings.slots_per_layout,
        bytes_per_layout=settings.slot_bytes_per_layout,
    )
    return new_engine(choice, settings, store.backbone, bank), bank


def _batcher(
    choice: EngineChoice,
    settings: Settings,
    engine: Engine,
    threads: Threads,
    metrics: Metrics,
    lifecycle: Lifecycle,
) -> ClassifyBatcher:
    batcher: ClassifyBatcher = Batcher(
        partial(infer_payloads, engine),
        thread=threads.engine,
        max_batch=largest_batch(settings, choice.device),
        max_pictures=settings.max_queued_pictures,
        observer=BatchMetrics(metrics),
        on_device_lost=lambda error: lifecycle.fail(str(error)),
    )
    metrics.admitted_pictures.set_function(lambda: batcher.admitted)
    metrics.queue_pictures.set_function(lambda: batcher.waiting)
    return batcher


def _residency(
    bank: AdapterBank,
    engine: Engine,
    batcher: ClassifyBatcher,
    threads: Threads,
    metrics: Metrics,
    host: HostMemory,
) -> Residency:
    async def warm(layout: Layout) -> None:
        await asyncio.get_running_loop().run_in_executor(threads.engine, engine.warm, layout)

    return Residency(
        bank,
        loader=threads.bank,
        warm=warm,
        settled=batcher.settled,
        metrics=metrics,
        host=host,
    )
