"""How much of the engine's rate HTTP clients see: JPEG in, JSON out, over batches of the bare engine.

    python -m benchmarks.pipeline --backbone vit_tiny_patch16_224.augreg_in21k_ft_in1k

Rounds of HTTP load on a running service and of bare mixed batches in this process take turns; both engines
have the same settings, but the service may have several (`--workers`). Writes
benchmarks/results/pipeline-<backbone>-<device>.json.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from adapters.vit.backbone import load_backbone
from benchmarks.common.http_load import asks_for, run_load
from benchmarks.common.interleaved import ratio, rounded, seconds
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import photograph
from benchmarks.common.random_store import random_store
from benchmarks.common.resident import add_engine_flags, make_resident, pictures
from benchmarks.common.running import as_flags, running

PORT = 8124
FILES = 32


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    figures = measure(options)
    print(f"HTTP clients see {figures['http_over_bare']} of {figures['bare_pictures_per_s']} pictures/s")
    kind = options.device.partition(":")[0]
    print(write_result(f"pipeline-{options.backbone}-{kind}", figures))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Rounds of both sides, and their ratio."""
    backbone = load_backbone(options.backbone, weights=options.weights)
    settings = {
        "device": options.device, "torch_threads": options.threads, "max_batch": options.batch,
        "graph_layouts": options.graph_layouts, "compile": options.compile,
    }  # fmt: skip
    resident = make_resident(backbone, options.tasks, weights=options.weights, **settings)
    images = pictures(options.batch, backbone.config.image_size)
    rows = [int(row) for row in np.random.default_rng(0).integers(options.tasks, size=options.batch)]
    files = [photograph(options.side_px, seed) for seed in range(FILES)]
    with tempfile.TemporaryDirectory() as folder:
        tasks = random_store(Path(folder), backbone, options.tasks)
        asks = asks_for(tasks, files)
        of_all = settings | {"torch_threads": options.threads * options.workers}  # which the workers share
        flags = as_flags(of_all | {"weights": options.weights, "workers": options.workers})
        with running("service.cli", Path(folder), PORT, *flags):
            http_s, bare_s = [], []
            for _ in range(options.rounds + 1):  # the first warms both up
                bare_s.append(seconds(lambda: resident.answer(images, rows)) / options.batch)
                load = asyncio.run(
                    run_load(PORT, asks, connections=2 * options.batch, requests=options.requests)
                )
                if set(load.statuses) != {200}:
                    raise RuntimeError(f"the service answered {load.statuses}")
                http_s.append(load.elapsed_s / options.requests)
    return {
        "backbone": backbone.config.name, "device": options.device, "batch": options.batch,
        "tasks": options.tasks, "picture_px": options.side_px, "threads": options.threads,
        "workers": options.workers, "graph_layouts": options.graph_layouts, "compile": options.compile,
        "bare_pictures_per_s": round(1 / float(np.median(bare_s[1:])), 1),
        "http_pictures_per_s": round(1 / float(np.median(http_s[1:])), 1),
        "http_over_bare": rounded(ratio(bare_s[1:], http_s[1:])),
    }  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the engine, on a CPU")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes of the service")
    parser.add_argument("--graph-layouts", type=int, default=0, metavar="N", help="captured as CUDA graphs")
    parser.add_argument("--compile", action="store_true", help="run the backbone through torch.compile")
    parser.add_argument("--batch", type=int, default=32, metavar="N")
    parser.add_argument("--tasks", type=int, default=100, metavar="N")
    parser.add_argument("--side-px", type=int, default=256, metavar="PX", help="of the pictures sent")
    parser.add_argument("--requests", type=int, default=320, metavar="N", help="in a round")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    return parser


if __name__ == "__main__":
    main()
