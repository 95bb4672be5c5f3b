"""How much of the front end's own rate HTTP clients see when a fast engine stands behind it.

    python -m benchmarks.ceiling

Two services take turns, both without a forward pass: the engine of one takes a GPU's time for each batch,
that of the other answers at once, which is the most that HTTP and decoding allow. `benchmarks.pipeline` has
the other case, an engine slower than its front end. The time model is that of `benchmarks.peers`, not
slowed down. Writes benchmarks/results/ceiling.json.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.vit.backbone import random_backbone
from benchmarks.common.http_load import Ask, asks_for, run_load
from benchmarks.common.interleaved import ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import VIT, photograph
from benchmarks.common.random_store import random_store
from benchmarks.common.running import running
from benchmarks.peers.figures import engine_limit_per_s

PORTS = {"model": 8130, "at once": 8131}
FILES = 32
TASKS = 100
CASES = {"one a request": 1, "eight a request": 8}


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    figures = measure(options)
    for name in CASES:
        print(f"{name}: {figures[name]}")
    print(write_result("ceiling", figures))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Both services through every case."""
    model = ("--fixed-ms", options.fixed_ms, "--per-picture-ms", options.per_picture_ms)
    batch = ("--max-batch", options.batch)
    files = [photograph(options.side_px, seed) for seed in range(FILES)]
    with tempfile.TemporaryDirectory() as folder:
        tasks = random_store(Path(folder), random_backbone(VIT), TASKS)
        with (
            running("benchmarks.common.model_service", Path(folder), PORTS["model"], *model, *batch),
            running("benchmarks.common.model_service", Path(folder), PORTS["at once"], *batch),
        ):
            measured = {
                name: one_case(
                    asks_for(tasks, files, count), requests=options.pictures // count, options=options
                )
                for name, count in CASES.items()
            }
    limit_per_s = engine_limit_per_s(options.fixed_ms / 1000, options.per_picture_ms / 1000, options.batch)
    return {
        "fixed_ms": options.fixed_ms, "per_picture_ms": options.per_picture_ms, "batch": options.batch,
        "picture_px": options.side_px, "engine_limit_per_s": round(limit_per_s, 1),
    } | measured  # fmt: skip


def one_case(asks: Sequence[Ask], requests: int, options: argparse.Namespace) -> dict[str, Any]:
    """Pictures/s of both services, and their ratio."""
    took_s: dict[str, list[float]] = {name: [] for name in PORTS}
    for _ in range(options.rounds + 1):  # the first warms both up
        for name, port in PORTS.items():
            load = asyncio.run(run_load(port, asks, connections=options.connections, requests=requests))
            if set(load.statuses) != {200}:
                raise RuntimeError(f"the service answered {load.statuses}")
            took_s[name].append(load.elapsed_s)
    pictures = requests * asks[0].pictures
    rates = {name: round(pictures / float(np.median(took_s[name][1:])), 1) for name in PORTS}
    return {"pictures_per_s": rates, "ratio": rounded(ratio(took_s["at once"][1:], took_s["model"][1:]))}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fixed-ms", type=float, default=3.0, help="of a batch")
    parser.add_argument("--per-picture-ms", type=float, default=0.2, help="of a picture")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="the largest")
    parser.add_argument("--side-px", type=int, default=256, metavar="PX", help="of the pictures sent")
    parser.add_argument("--connections", type=int, default=64, metavar="N")
    parser.add_argument("--pictures", type=int, default=1600, metavar="N", help="in a round")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    return parser


if __name__ == "__main__":
    main()
