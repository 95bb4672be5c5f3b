"""Metrics of several processes on one page: real processes, as a process counts in one way all its life."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.metrics import Metrics
from service.workers.metric_files import WorkerMetrics, forget_gauges

COUNTS = """
import asyncio, sys, warnings
from pathlib import Path
from service.workers.metric_files import WorkerMetrics, count_in
warnings.simplefilter("error")
folder, worker, tasks, ready = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
count_in(folder, worker)
from service.metrics import Metrics
metrics = Metrics(workers=WorkerMetrics(folder, dict))
metrics.requests.labels("digits", "ok").inc(2)
metrics.request_seconds.labels("digits").observe(0.003)
metrics.tasks.set(tasks)
metrics.ready.set(ready)
metrics.workers_ready.set(ready)
metrics.connections.set_function(lambda: 5)
metrics.slots_used.labels("p10").set_function(lambda: 7 + worker)
metrics.forget_task("digits")
async def sample():
    try:
        await asyncio.wait_for(metrics.sample(), 0.01)
    except TimeoutError:
        pass
asyncio.run(sample())
"""


def count(folder: Path, worker: int, *, tasks: int = 3, ready: int = 1) -> None:
    command = [sys.executable, "-c", COUNTS, *map(str, (folder, worker, tasks, ready))]
    subprocess.run(command, check=True, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    count(folder, 0, tasks=3)
    count(folder, 1, tasks=4, ready=0)
    count(folder, 1, tasks=4, ready=0)  # it ended, and another has its place
    return folder


def page(folder: Path) -> CollectorRegistry:
    return WorkerMetrics(folder, lambda: {0: os.getpid(), 1: os.getppid(), 2: 2**22 + 1}).page()


def test_counters_add_up_and_go_on_with_another_process(folder: Path) -> None:
    value = page(folder).get_sample_value

    assert value("dvpt_requests_total", {"task": "digits", "code": "ok"}) == 6
    assert value("dvpt_request_seconds_count", {"task": "digits"}) == 3
    assert value("dvpt_request_seconds_bucket", {"task": "digits", "le": "0.005"}) == 3
    assert value("dvpt_request_seconds_bucket", {"task": "digits", "le": "0.002"}) == 0


def test_each_gauge_speaks_for_all_in_its_way(folder: Path) -> None:
    value = page(folder).get_sample_value

    assert value("dvpt_connections") == 10
    assert value("dvpt_slots_used", {"layout": "p10"}) == 8
    assert value("dvpt_tasks") == 4
    assert (value("dvpt_ready"), value("dvpt_workers_ready")) == (0, 1)


def test_every_metric_has_a_single_series_where_one_process_has_it(folder: Path) -> None:
    alone = {metric.name for metric in Metrics().registry.collect() if metric.samples}
    shared = {metric.name: len({json.dumps(s.labels) for s in metric.samples if "le" not in s.labels})
              for metric in page(folder).collect()}  # fmt: skip

    assert {name for name in alone if not name.startswith("python_gc_")} <= shared.keys()
    assert all(count == 1 for name, count in shared.items() if name.startswith("dvpt_"))


def test_processes_have_a_series_each_and_one_that_is_gone_has_none(folder: Path) -> None:
    memory = [m for m in page(folder).collect() if m.name == "process_resident_memory_bytes"]

    assert [sample.labels for metric in memory for sample in metric.samples] == [
        {"worker": "0"},
        {"worker": "1"},
    ]


def test_the_gauges_of_a_dead_worker_are_forgotten_and_its_counters_stay(tmp_path: Path) -> None:
    count(tmp_path, 0)
    count(tmp_path, 1)
    forget_gauges(tmp_path, 1)
    value = page(tmp_path).get_sample_value

    assert value("dvpt_connections") == 5
    assert value("dvpt_requests_total", {"task": "digits", "code": "ok"}) == 4
