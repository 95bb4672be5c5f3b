"""Every Prometheus name of the service, in one place. Seconds and bytes, as Prometheus wants them."""

import asyncio
import platform
from collections.abc import Callable, Collection
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import torch
from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector

from service.lifecycle import Phase
from service.workers.metric_files import WorkerMetrics, sampled_gauges

GaugeMode = Literal["livesum", "livemin", "livemax"]
SAMPLE_S = 1.0
UNKNOWN_TASK = "unknown"
OTHER_TASKS = "other"
ENGINE_LABELS = ("engine", "device", "precision")
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
AGES = (1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0, 7 * 24 * 3600.0)
LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
PROBABILITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
PICTURES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The service's metrics on a registry of their own, so that two services in a process stay apart.

    The first `most_tasks` that are asked have series of their own; the other tasks share one. `page` is what
    `/metrics` shows: this process, or all `workers`, which then count in files that they share.
    """

    def __init__(self, most_tasks: int = 50, workers: WorkerMetrics | None = None) -> None:
        self.registry = CollectorRegistry()
        self.page = workers.page() if workers else self.registry
        self._samples: list[Callable[[], None]] = []
        self._gauges = sampled_gauges(self._samples) if workers else Gauge
        self._shared = workers is not None
        self._most_tasks = most_tasks
        self._labelled: set[str] = set()
        self._of_requests()
        self.ready = self._gauge("ready", "1 while the service answers requests", mode="livemin")
        self._of_adapters()
        self.loop_lag_seconds = self._histogram("event_loop_lag_seconds", "Wait of the event loop", LAGS)
        self._of_store()
        self._of_traffic()
        self._of_answers()
        self._of_workers()
        self._infos()
        if workers is None:
            ProcessCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def _of_requests(self) -> None:
        # Labels by task only where the tasks are known ones: a client must not be able to add series.
        self.requests = self._counter("requests", "Classify requests answered", "task", "code")
        self.pictures = self._counter("pictures", "Pictures answered", "task")
        self.request_seconds = self._histogram(
            "request_seconds", "Classify request, head to answer", SECONDS, "task"
        )
        self.decode_seconds = self._histogram("decode_seconds", "Decoding and fitting one request's pictures")
        self.queue_seconds = self._histogram("queue_seconds", "One request waiting for its first batch")
        self.inference_seconds = self._histogram("inference_seconds", "One forward pass")
        self.batch_pictures = self._histogram("batch_pictures", "Pictures in one forward pass", PICTURES)
        self.batch_tasks = self._histogram("batch_tasks", "Distinct tasks in one forward pass", PICTURES)
        self.batch_faults = self._counter("batch_faults", "Forward passes that failed", "kind")
        self.left_pictures = self._counter(
            "pictures_left_queue", "Pictures that left the queue without a forward pass"
        )
        self.admitted_pictures = self._gauge("admitted_pictures", "Pictures admitted and not yet answered")
        self.queue_pictures = self._gauge("queue_pictures", "Pictures waiting for a forward pass")
        self.body_bytes = self._gauge("body_bytes", "Bytes of request bodies in memory, until decoded")
        self.decodes_running = self._gauge(
            "decodes_running", "Pictures being decoded, and large bodies being taken apart"
        )
        self.decodes_waiting = self._gauge("decodes_waiting", "Pictures and large bodies waiting for that")
        self.connections = self._gauge("connections", "Open connections")

    def _of_adapters(self) -> None:
        self.tasks = self._gauge("tasks", "Tasks that the service answers", mode="livemax")
        self.adapters = self._gauge(
            "adapters", "Versions that the service answers, in memory or not", mode="livemax"
        )
        self.slots_used = self._gauge("slots_used", "Adapters on the device", "layout", mode="livemax")
        self.host_adapters = self._gauge("host_adapters", "Adapters waiting in host memory for a slot")
        self.host_bytes = self._gauge("host_bytes", "Bytes of the adapters in host memory")
        self.bank_bytes = self._gauge("bank_bytes", "Memory of the bank's tensors on the device")
        self.loads = self._counter("adapter_loads", "Adapters read from the store", "outcome", "cause")
        self.load_seconds = self._histogram("adapter_load_seconds", "Store to slot, one adapter")
        self.evictions = self._counter("adapter_evictions", "Adapters that left the device for host memory")
        self.eviction_age_seconds = self._histogram(
            "eviction_age_seconds", "Time since the last use of an adapter that left a slot or the host",
            AGES, "place",
        )  # fmt: skip
        self.cold_answer_seconds = self._histogram(
            "cold_answer_seconds", "Classify request that had its adapter read from the store, to its answer"
        )
        self.returns = self._counter("adapter_returns", "Adapters that came back from host memory")
        self.refused_adapters = self._gauge(
            "refused_adapters", "Versions in the store that were refused", mode="livemax"
        )
        self.serving_changes = self._counter("serving_changes", "Labels that began to serve another version")

    def _of_store(self) -> None:
        self.scan_seconds = self._histogram("store_scan_seconds", "One look at the whole store")
        self.scan_faults = self._counter("store_scan_faults", "Looks at the store that failed")
        self.last_look = self._gauge(
            "store_last_look_timestamp_seconds", "When the store was last seen whole", mode="livemin"
        )
        self.journal_lag_seconds = self._gauge(
            "journal_lag_seconds",
            "Time since what the store's journal tells was last followed to its end",
            mode="livemax",
        )
        self.slow_store_reads = self._gauge("slow_store_reads", "Reads of the store that hang or take long")

    def _of_traffic(self) -> None:
        self.canary_requests = self._counter(
            "canary_requests", "Plain requests that went to a label with a share", "task", "outcome"
        )
        self.shadow_pictures = self._counter(
            "shadow_pictures", "Answered pictures that a label was to answer unseen", "task", "outcome"
        )
        self.traffic_changes = self._counter(
            "traffic_changes", "Labels moved or taken out of the traffic by rule", "change", "result"
        )

    def _of_answers(self) -> None:
        self.top_probability = self._histogram(
            "top_probability", "Probability of each picture's likeliest class", PROBABILITIES, "task"
        )
        self.judged_pictures = self._counter(
            "judged_pictures",
            "Pictures answered where there are thresholds, by what they say",
            "task",
            "verdict",
        )
        self.class_divergence = self._gauge(
            "class_divergence",
            "How far the classes of the last answers by stable are from those of val, 0 to 1",
            "task",
            mode="livemax",
        )
        self.feedback_answers = self._gauge(
            "feedback_answers", "Pictures whose true class was told", "task", "version"
        )
        self.feedback_correct = self._gauge(
            "feedback_correct", "Of these, answered rightly", "task", "version"
        )
        self.samples = self._counter(
            "samples", "Uncertain pictures that were to be kept for labelling", "outcome"
        )

    def _of_workers(self) -> None:
        self.workers = self._gauge("workers", "Processes that should serve the address", mode="livemax")
        self.workers_ready = self._gauge("workers_ready", "Processes that answer requests")
        self.worker_restarts = self._counter("worker_restarts", "Processes started in place of another")

    def phase_changed(self, phase: Phase) -> None:
        """Tell whether requests are wanted."""
        self.ready.set(phase is Phase.READY)
        self.workers_ready.set(phase is Phase.READY)

    def task_label(self, task: str, known: Collection[str]) -> str:
        """The task as a label value; unknown ones share a value, and so do known ones beyond the bound."""
        if task not in known:
            return UNKNOWN_TASK
        if task in self._labelled:
            return task
        if len(self._labelled) >= self._most_tasks:
            return OTHER_TASKS
        self._labelled.add(task)
        return task

    def forget_task(self, task: str) -> None:
        """Drop the series of a task that the store no longer has, which leaves room for another's.

        From the files of several workers nothing can be dropped: there its series and its room are kept.
        """
        if self._shared:
            return
        self._labelled.discard(task)
        for metric in (
            self.request_seconds, self.requests, self.pictures, self.canary_requests, self.shadow_pictures,
            self.top_probability, self.judged_pictures, self.class_divergence, self.feedback_answers,
            self.feedback_correct,
        ):  # fmt: skip
            metric.remove_by_labels({"task": task})

    def forget_feedback(self, task: str, version: int) -> None:
        """Drop the series of an old version, where series can be dropped."""
        if not self._shared:
            self.feedback_answers.remove_by_labels({"task": task, "version": str(version)})
            self.feedback_correct.remove_by_labels({"task": task, "version": str(version)})

    async def sample(self, interval_s: float = SAMPLE_S) -> None:
        """Write down again and again what functions tell the gauges, for whichever worker shows the page."""
        while True:
            for take in self._samples:
                take()
            await asyncio.sleep(interval_s)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"dvpt_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str, mode: GaugeMode = "livesum") -> Gauge:
        """`mode` is what of all workers' values the page shows."""
        return self._gauges(f"dvpt_{name}", text, labels, registry=self.registry, multiprocess_mode=mode)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...] = SECONDS, *labels: str
    ) -> Histogram:
        return Histogram(f"dvpt_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _infos(self) -> None:
        self.engine_info = self._gauge(
            "engine_info",
            "Always 1; what runs the forward pass stands in the labels",
            *ENGINE_LABELS,
            mode="livemax",
        )
        info = self._gauge(
            "build_info", "Always 1; the versions stand in the labels", *_VERSIONS, mode="livemax"
        )
        info.labels(**_VERSIONS).set(1)


def distribution_version() -> str:
    """The installed version of this project."""
    try:
        return version("dvpt-serve")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"


_VERSIONS = {
    "version": distribution_version(),
    "python": platform.python_version(),
    "torch": str(torch.__version__),
}


class BatchMetrics:
    """Tells the metrics of what the batcher does."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def batch_ran(self, pictures: int, tasks: int, seconds: float) -> None:
        """A forward pass gave answers."""
        self._metrics.batch_pictures.observe(pictures)
        self._metrics.batch_tasks.observe(tasks)
        self._metrics.inference_seconds.observe(seconds)

    def batch_failed(self, kind: str) -> None:
        """A forward pass failed."""
        self._metrics.batch_faults.labels(kind).inc()

    def pictures_left(self, pictures: int) -> None:
        """Pictures left the queue without a forward pass."""
        self._metrics.left_pictures.inc(pictures)
