"""What clients see of a device with 1 to 8 workers: pictures a second, waiting, and processor time.

    python -m benchmarks.device_workers --backbone vit_base_patch16_224 --device cuda:0

The real service, asked by `wrk` (Debian has it) over more and more connections, one picture a request. One
number of workers after the other, since they would share the device; the bare engine, with the same settings,
is timed before them, and what a pass of each size takes is what `benchmarks.workers` simulates with.
Writes benchmarks/results/device_workers-<backbone>-<device>.json.
"""

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from adapters.vit.backbone import Backbone
from benchmarks.common.http_load import asks_for
from benchmarks.common.interleaved import interleave
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import photograph
from benchmarks.common.processor_time import tree_seconds
from benchmarks.common.random_store import random_store
from benchmarks.common.random_weights import open_weights
from benchmarks.common.resident import Resident, add_engine_flags, make_resident, pictures
from benchmarks.common.running import as_flags, running
from benchmarks.workers.wrk import Wrk, prepared

PORT = 8341
FILES = 32


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    figures: dict[str, Any] = {
        "backbone": options.backbone, "device": options.device, "tasks": options.tasks,
        "max_batch": options.batch, "picture_px": options.side_px, "graph_layouts": options.graph_layouts,
        "compile": options.compile, "decode_threads": options.decode_threads,
    }  # fmt: skip
    with open_weights(options.backbone, options.weights) as (backbone, weights):
        for name, figure in measured(backbone, weights, options):
            print(f"{name}: {figure}", flush=True)
            figures[name] = figure
    kind = options.device.partition(":")[0]
    print(write_result(f"device_workers-{options.backbone}-{kind}", figures))


def measured(
    backbone: Backbone, weights: Path, options: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The bare engine, then each number of workers."""
    settings = {
        "device": options.device, "torch_threads": options.threads, "max_batch": options.batch,
        "graph_layouts": options.graph_layouts, "compile": options.compile,
    }  # fmt: skip
    resident = make_resident(backbone, options.tasks, weights=weights, **settings)
    yield "bare", bare(resident, backbone, options)
    files = [photograph(options.side_px, seed) for seed in range(FILES)]
    with tempfile.TemporaryDirectory() as folder:
        tasks = random_store(Path(folder), backbone, options.tasks)
        with prepared(asks_for(tasks, files)) as wrk:
            for workers in options.workers:
                own = settings | {"weights": weights, "torch_threads": options.threads * workers}
                if options.decode_threads:
                    own["decode_threads"] = options.decode_threads
                flags = (*as_flags(own), "--workers", workers, "--preload", "*")
                with running("service.cli", Path(folder), PORT, *flags) as service:
                    wrk.run(PORT, options.connections[-1], 2)  # every size of batch has run once
                    figure: dict[str, Any] = {"ready_s": round(service.ready_ms / 1000, 1)}
                    for count in options.connections:
                        figure[f"{count} connections"] = asked(wrk, service.pid, count, options.seconds)
                yield f"{workers} workers", figure


def bare(resident: Resident, backbone: Backbone, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a pass by its pictures, and the pictures a second of the largest."""
    sizes = [size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256) if size <= options.batch]
    images = [resident.engine.stage(image) for image in pictures(options.batch, backbone.config.image_size)]
    rows = [row % options.tasks for row in range(options.batch)]
    calls = {str(size): partial(resident.answer, images[:size], rows[:size]) for size in sizes}
    times = interleave(calls, options.rounds, warm=3)
    pass_ms = {size: round(1000 * float(np.median(own)), 3) for size, own in times.items()}
    return {"pass_ms": pass_ms, "pictures_a_second": round(1000 * sizes[-1] / pass_ms[str(sizes[-1])])}


def asked(wrk: Wrk, process: int, connections: int, seconds: float) -> dict[str, float]:
    """What clients saw, and what it cost all processes of the service."""
    before = _spent(process)
    answered = wrk.run(PORT, connections, seconds)
    spent_s = _spent(process) - before
    return {
        "pictures_a_second": round(answered.requests / answered.seconds),
        "p50_ms": round(answered.p50_ms, 2),
        "p99_ms": round(answered.p99_ms, 2),
        "cpu_us": round(1e6 * spent_s / answered.requests),
        "cores_busy": round(spent_s / answered.seconds, 2),
    }


def _spent(process: int) -> float:
    return sum(seconds for _, seconds in tree_seconds(process))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8], metavar="N")
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64, 256], metavar="N")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each number of connections")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each engine, on a CPU")
    parser.add_argument("--graph-layouts", type=int, default=0, metavar="N", help="captured as CUDA graphs")
    parser.add_argument("--compile", action="store_true", help="run the backbone through torch.compile")
    parser.add_argument("--decode-threads", type=int, default=0, metavar="N", help="0: as many as cores")
    parser.add_argument("--batch", type=int, default=64, metavar="N")
    parser.add_argument("--tasks", type=int, default=50, metavar="N")
    parser.add_argument("--side-px", type=int, default=64, metavar="PX", help="of the pictures sent")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="of the bare engine")
    return parser


if __name__ == "__main__":
    main()
