"""Wiring: settings in, application out. No logic of its own."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from fastapi import FastAPI

from adapters.bank import AdapterBank
from adapters.layout import Layout
from adapters.store import Store
from service.batcher import Batcher
from service.bodies import BodyLimits
from service.classify import Classifier, Payload, infer_payloads
from service.decode import Decoder
from service.engine import Engine, Probabilities
from service.engine.device import choose_device, choose_dtype
from service.engine.torch_engine import TorchEngine
from service.handlers import add_problem_handlers
from service.lifecycle import Lifecycle, Phase
from service.metrics import BatchMetrics, Metrics, distribution_version
from service.openapi import complete_openapi
from service.registry import Registry
from service.residency import Residency
from service.routes.health import add_health_routes
from service.routes.tasks import add_task_routes
from service.settings import Settings
from service.startup import Startup
from service.watch import Watch


@dataclass(frozen=True)
class Service:
    """An application and the lifecycle that whoever runs it must follow."""

    app: FastAPI
    lifecycle: Lifecycle


def create_service(settings: Settings, store: Store) -> Service:
    """Wire the service of one store. Raises ConfigError for a device that is not there."""
    metrics, lifecycle = Metrics(), Lifecycle()
    lifecycle.on_change.append(lambda phase: metrics.ready.set(phase is Phase.READY))
    engine_thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
    loader = ThreadPoolExecutor(2, thread_name_prefix="loader")
    device = choose_device(settings.device)
    dtype = choose_dtype(settings.precision, device)
    bank = AdapterBank(store.backbone, device=device, dtype=dtype, slots_per_layout=settings.slots_per_layout)
    engine: Engine = TorchEngine(
        store.backbone,
        bank,
        device=device,
        dtype=dtype,
        weights=settings.weights,
        threads=settings.torch_threads,
    )
    batcher: Batcher[Payload, Probabilities] = Batcher(
        lambda payloads: infer_payloads(engine, payloads),
        thread=engine_thread,
        max_batch=settings.max_batch,
        max_pictures=settings.max_queued_pictures,
        observer=BatchMetrics(metrics),
        on_device_lost=lambda error: lifecycle.fail(str(error)),
    )
    metrics.admitted_pictures.set_function(lambda: batcher.admitted)
    metrics.queue_pictures.set_function(lambda: batcher.waiting)

    async def warm(layout: Layout) -> None:
        await asyncio.get_running_loop().run_in_executor(engine_thread, engine.warm, layout)

    residency = Residency(
        bank,
        width=store.backbone.width,
        loader=loader,
        warm=warm,
        settled=batcher.settled,
        metrics=metrics,
    )
    registry = Registry(store, residency, loader=loader, metrics=metrics)
    watch = Watch(store, registry, interval_s=settings.watch_interval_s, loader=loader, metrics=metrics)
    decoder = Decoder(
        threads=settings.decode_threads,
        image_size=store.backbone.image_size,
        max_pixels=settings.max_pixels,
    )
    startup = Startup(lifecycle, engine, engine_thread, batcher, watch)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        background = asyncio.create_task(startup.run())
        try:
            yield
        finally:
            batcher.close()
            background.cancel()
            with suppress(asyncio.CancelledError):
                await background
            await residency.close()
            decoder.close()
            loader.shutdown(cancel_futures=True)
            engine_thread.shutdown(cancel_futures=True)

    app = FastAPI(
        title="DVPT Serve",
        summary="Many image-classification tasks on one frozen Vision Transformer",
        version=distribution_version(),
        root_path=settings.root_path,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    classifier = Classifier(
        lifecycle,
        registry,
        decoder,
        batcher,
        metrics,
        BodyLimits(
            settings.max_request_bytes,
            settings.max_picture_bytes,
            settings.max_pictures_per_request,
            settings.upload_timeout_ms,
        ),
        settings.default_timeout_ms,
        settings.max_timeout_ms,
    )
    add_task_routes(app, classifier, registry)
    add_health_routes(app, lifecycle, metrics)
    add_problem_handlers(app, registry)
    complete_openapi(app)
    return Service(app, lifecycle)
