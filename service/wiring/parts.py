"""The parts of a service, each made once from the settings and given to those that use it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from adapters.bank.bank import AdapterBank
from adapters.config import BackboneConfig
from adapters.kinds.layout import Layout
from adapters.store.store import Store
from service.answers.drift import Drift
from service.answers.observer import AnswerObserver
from service.answers.recent_answers import RecentAnswers
from service.answers.sample_place import open_place
from service.answers.samples import SampleLimits, Samples
from service.audit import Audit
from service.batching.batcher import Batcher
from service.engine.choice import EngineChoice, choose_engine, largest_batch
from service.engine.payloads import Payload, infer_payloads
from service.engine.protocol import Engine, Probabilities
from service.http.decoding.decoder import Decoder
from service.http.decoding.fair_threads import FairThreads
from service.http.problems import code_of
from service.lifecycle import Lifecycle
from service.metrics import BatchMetrics, Metrics
from service.residents.host_memory import HostMemory
from service.residents.preload import Preload
from service.residents.registry import Registry
from service.residents.residency import Residency
from service.residents.watch import Watch
from service.settings import Settings
from service.traffic.traffic import Traffic
from service.traffic.wiring import make_traffic
from service.wiring.threads import Threads, alone
from service.workers.membership import Membership
from service.workers.metric_files import WorkerMetrics

ClassifyBatcher = Batcher[Payload, Probabilities]
NewEngine = Callable[[EngineChoice, Settings, BackboneConfig, AdapterBank], Engine]


@dataclass(frozen=True)
class Parts:
    """What answers requests, before anything of HTTP's routes."""

    store: Store
    metrics: Metrics
    lifecycle: Lifecycle
    threads: Threads
    engine: Engine
    batcher: ClassifyBatcher
    residency: Residency
    registry: Registry
    watch: Watch
    decode_threads: FairThreads
    decoder: Decoder
    audit: Audit
    traffic: Traffic
    observer: AnswerObserver


def make_parts(
    settings: Settings, store: Store, new_engine: NewEngine, membership: Membership | None
) -> Parts:
    """Make everything. Raises ConfigError for a device, engine or audit file that cannot be used."""
    metrics, lifecycle, threads = _metrics(settings, membership), Lifecycle(), Threads()
    lifecycle.on_change.append(metrics.phase_changed)
    choice = choose_engine(settings)
    engine, bank = _engine(choice, settings, store, metrics, new_engine)
    batcher = _batcher(choice, settings, engine, threads, metrics, lifecycle)
    residency = _residency(bank, engine, batcher, threads, metrics, HostMemory(settings.host_bytes))
    preload = Preload(settings.preload, settings.pin)
    registry = Registry(store, residency, preload=preload, loader=threads.loader, metrics=metrics)
    audit, decode_threads = (
        Audit(settings.audit, threads.audit),
        FairThreads(settings.decode_threads, begin=alone),
    )
    return Parts(
        store=store,
        metrics=metrics,
        lifecycle=lifecycle,
        threads=threads,
        engine=engine,
        batcher=batcher,
        residency=residency,
        registry=registry,
        watch=_watch(settings, store, registry, threads, metrics),
        decode_threads=decode_threads,
        decoder=Decoder(
            decode_threads,
            image_size=store.backbone.image_size,
            max_pixels=settings.max_pixels,
            stage=engine.stage,
        ),
        audit=audit,
        traffic=make_traffic(store, registry, batcher, threads.loader, audit, metrics, code_of),
        observer=_observer(settings, registry, threads, metrics),
    )


def _metrics(settings: Settings, membership: Membership | None) -> Metrics:
    if membership is None:
        metrics = Metrics(settings.metric_tasks)
    else:
        folder = membership.folder.metrics
        metrics = Metrics(settings.metric_tasks, WorkerMetrics(folder, lambda: membership.processes))
        metrics.worker_restarts.inc(membership.replaces)
    metrics.workers.set(settings.workers)
    return metrics


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


def _watch(settings: Settings, store: Store, registry: Registry, threads: Threads, metrics: Metrics) -> Watch:
    return Watch(
        store,
        registry,
        interval_s=settings.watch_interval_s,
        whole_interval_s=settings.whole_look_interval_s,
        forget_after_s=settings.forget_after_s,
        loader=threads.look,
        metrics=metrics,
    )


def _observer(settings: Settings, registry: Registry, threads: Threads, metrics: Metrics) -> AnswerObserver:
    samples = None
    if settings.sample_to is not None:
        limits = SampleLimits(
            settings.sample_share, settings.sample_margin, settings.sample_per_hour, settings.sample_most
        )
        samples = Samples(open_place(settings.sample_to), limits, threads.samples, metrics)
    recent = RecentAnswers(settings.feedback_answers)
    return AnswerObserver(Drift(metrics, registry.tasks), recent, samples)
