"""Metrics of all workers on one page: each counts in files of its own, whoever is asked reads all of them.

Files go by the worker's place and not by its process: one that replaces another goes on with its counters.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, Metric, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def count_in(folder: Path, worker: int) -> None:
    """Let every metric of this process that is made from now on be counted in `folder`."""
    os.environ[VARIABLE] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: worker)


def forget_gauges(folder: Path, worker: int) -> None:
    """A worker is dead: what its gauges said holds no longer."""
    mark_process_dead(worker, str(folder))


@dataclass(frozen=True)
class WorkerMetrics:
    """Where all workers count, and the process of each by its place."""

    folder: Path
    processes: Callable[[], Mapping[int, int]]

    def page(self) -> CollectorRegistry:
        """What all workers counted, and the processes that they are now."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self.folder))
        registry.register(WorkerProcesses(self.processes))
        return registry


def sampled_gauges(samples: list[Callable[[], None]]) -> type[Gauge]:
    """Gauges that a function tells: another process cannot call it, so `samples` write down what it says."""

    class SampledGauge(Gauge):
        def set_function(self, f: Callable[[], float]) -> None:
            samples.append(lambda: self.set(float(f())))

    return SampledGauge


class WorkerProcesses:
    """Prometheus' usual metrics of a process, for the process of each worker."""

    def __init__(self, processes: Callable[[], Mapping[int, int]]) -> None:
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        """The series of all of them, by worker; none of one that is just gone."""
        merged: dict[str, Metric] = {}
        for worker, pid in sorted(self._processes().items()):
            for of_one in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                family = Metric(of_one.name, of_one.documentation, of_one.type)
                family = merged.setdefault(of_one.name, family)
                for sample in of_one.samples:
                    family.add_sample(sample.name, {"worker": str(worker)}, sample.value)
        yield from merged.values()
