"""What the request path costs beside decoding: CPU of the server for each picture, the engine instant.

    python -m benchmarks.front_end

Each round asks the running service and, in turn, decodes and resizes the same files bare, as the service does
it and as Pillow would, in as many processes at once as there are cores: the service keeps them all busy too.
The client is another process and is not counted. Writes benchmarks/results/front_end.json.
"""

import argparse
import asyncio
import multiprocessing
import resource
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from adapters.cores import available_cores
from adapters.vit.backbone import random_backbone
from benchmarks.common.http_load import asks_for, run_load
from benchmarks.common.interleaved import ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import INPUT_PX, VIT, fitted, fitted_by_pillow, photograph
from benchmarks.common.processor_time import cpu_seconds
from benchmarks.common.random_store import random_store
from benchmarks.common.running import running

PORT = 8123
FILES = 32


@dataclass(frozen=True)
class Case:
    """Pictures of one size, asked for one or several at a time."""

    name: str
    side_px: int
    pictures_per_request: int
    pictures: int


CASES = (
    Case("64 px, one a request", 64, 1, 1200),
    Case("500 px, one a request", 500, 1, 320),
    Case("500 px, eight a request", 500, 8, 320),
)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16], help="asking on and on at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tasks = random_store(Path(folder), random_backbone(VIT), tasks=20)
        with running("benchmarks.common.model_service", Path(folder), PORT) as process, Bare() as bare:
            figures = {
                f"{case.name}, {clients} at once": measure(
                    case, tasks, process.pid, bare, options.rounds, clients
                )
                for clients in options.clients
                for case in CASES
            }
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    print(write_result("front_end", {"input_px": INPUT_PX} | figures))


def measure(
    case: Case, tasks: Sequence[str], pid: int, bare: "Bare", rounds: int, clients: int
) -> dict[str, Any]:
    """CPU time of the server and of bare decoding, round by round."""
    files = [photograph(case.side_px, seed) for seed in range(FILES)]
    asks = asks_for(tasks, files, case.pictures_per_request)
    requests = case.pictures // case.pictures_per_request
    asyncio.run(run_load(PORT, asks, connections=clients, requests=requests // 4))
    server_s, bare_s, pillow_s = [], [], []
    for _ in range(rounds):
        before = cpu_seconds(pid)
        load = asyncio.run(run_load(PORT, asks, connections=clients, requests=requests))
        server_s.append((cpu_seconds(pid) - before) / (requests * case.pictures_per_request))
        if set(load.statuses) != {200}:
            raise RuntimeError(f"{case.name}: {load.statuses}")
        bare_s.append(bare.seconds(fitted, files, case.pictures))
        pillow_s.append(bare.seconds(fitted_by_pillow, files, case.pictures))
    return {
        "server_us_per_picture": _median_us(server_s),
        "bare_us_per_picture": _median_us(bare_s),
        "pillow_us_per_picture": _median_us(pillow_s),
        "ratio": rounded(ratio(server_s, bare_s)),
        "ratio_to_pillow": rounded(ratio(server_s, pillow_s)),
    }


class Bare:
    """A process for each core, which does nothing but decode and resize."""

    def __init__(self) -> None:
        self._cores = available_cores()
        self._pool = ProcessPoolExecutor(self._cores, multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def seconds(self, fit: Callable[[bytes], object], files: Sequence[bytes], count: int) -> float:
        """CPU seconds for each of `count` pictures in each of the processes."""
        spent = [self._pool.submit(cpu_seconds_of, fit, files, count) for _ in range(self._cores)]
        return float(np.mean([one.result() for one in spent])) / count


def cpu_seconds_of(fit: Callable[[bytes], object], files: Sequence[bytes], count: int) -> float:
    """User and system time of this thread for so many pictures."""
    before = resource.getrusage(resource.RUSAGE_THREAD)
    for number in range(count):
        fit(files[number % len(files)])
    after = resource.getrusage(resource.RUSAGE_THREAD)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _median_us(times_s: Sequence[float]) -> float:
    return round(1e6 * float(np.median(times_s)), 1)


if __name__ == "__main__":
    main()
