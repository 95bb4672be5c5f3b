"""Start and hot loading: process start to ready, artifact on disk to first answer, and what others notice.

    python -m benchmarks.hot_load --backbone vit_tiny_patch16_224.augreg_in21k_ft_in1k

The service is the real one and looks at the store every 10 ms. Others' latency is taken in turn with and
without 20 publishes a second beside it. Writes benchmarks/results/hot_load-<backbone>-<device>.json.
"""

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.store.artifact import Artifact
from adapters.store.store import Store
from adapters.vit.backbone import load_backbone
from benchmarks.common.http_load import run_load, single
from benchmarks.common.interleaved import ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import photograph
from benchmarks.common.random_store import random_store
from benchmarks.common.resident import add_engine_flags
from benchmarks.common.running import running

PORT = 8125
LOADS_PER_S = 20
TASKS = 20
LOADED = 25


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    backbone = load_backbone(options.backbone, weights=options.weights)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "store")
        tasks = random_store(root, backbone, TASKS)
        store = Store.open(root)
        artifact = store.load(tasks[0], 1)
        weights = ["--weights", options.weights] if options.weights else []
        looks = ("--preload", "*", "--watch-interval-s", 0.01)
        flags = ("--device", options.device, "--torch-threads", 1, *looks, *weights)
        with running("service.cli", root, PORT, *flags) as service:
            start = {"process_to_ready_ms": round(service.ready_ms, 1)} | _parts(
                service.log, service.ready_ms
            )
            first_ms = [first_answer_ms(store, artifact, f"new-{number}") for number in range(LOADED)]
            others = asyncio.run(latency_of_others(store, artifact, tasks, options))
    figures = {
        "backbone": backbone.config.name, "device": options.device, "start": start,
        "disk_to_first_answer_ms": {
            "median": round(float(np.median(first_ms)), 1), "p90": round(float(np.quantile(first_ms, 0.9)), 1)
        },
        **others,
    }  # fmt: skip
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    print(write_result(f"hot_load-{options.backbone}-{options.device.partition(':')[0]}", figures))


def first_answer_ms(store: Store, artifact: Artifact, task: str) -> float:
    """From the moment the version is whole on disk to the end of the first answer."""
    ask = single(task, photograph(64, 0))
    store.publish(task, artifact)
    began = time.perf_counter()
    while True:
        load = asyncio.run(run_load(PORT, [ask], connections=1, requests=1))
        if load.statuses == {200: 1}:
            return 1000 * (time.perf_counter() - began)
        time.sleep(0.001)


async def latency_of_others(
    store: Store, artifact: Artifact, tasks: Sequence[str], options: argparse.Namespace
) -> dict[str, Any]:
    """p99 of the tasks that are there, with and without loads beside them, in turn."""
    asks = [single(task, photograph(64, number)) for number, task in enumerate(tasks)]
    p99_ms: dict[str, list[float]] = {"undisturbed": [], "with loads": []}
    for _ in range(options.rounds + 1):
        for name, values in p99_ms.items():
            stop = threading.Event()
            publisher = threading.Thread(target=_publish_until, args=(stop, store, artifact))
            if name == "with loads":
                publisher.start()
            load = await run_load(PORT, asks, connections=4, requests=options.requests)
            stop.set()
            if publisher.ident is not None:
                await asyncio.to_thread(publisher.join)
            values.append(1000 * float(np.quantile(load.seconds, 0.99)))
    with_loads, undisturbed = p99_ms["with loads"][1:], p99_ms["undisturbed"][1:]
    return {
        "p99_undisturbed_ms": round(float(np.median(undisturbed)), 2),
        "p99_with_loads_ms": round(float(np.median(with_loads)), 2),
        "p99_ratio": rounded(ratio(with_loads, undisturbed)),
    }


def _publish_until(stop: threading.Event, store: Store, artifact: Artifact) -> None:
    number = 0
    while not stop.wait(1 / LOADS_PER_S):
        store.publish(f"other-{number % 50}", artifact)
        number += 1


def _parts(lines: Sequence[str], ready_ms: float) -> dict[str, float]:
    """The service's own account of its start; the rest is Python and its imports."""
    for line in lines:
        if "warm_up_ms" in line:
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            parts = {name: float(fields[name]) for name in ("backbone_ms", "adapters_ms", "warm_up_ms")}
            return {
                name: round(value, 1)
                for name, value in (
                    {"process_to_ready_ms": ready_ms, "imports_ms": ready_ms - sum(parts.values())} | parts
                ).items()
            }
    raise RuntimeError("the service did not tell of its start")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    parser.add_argument("--requests", type=int, default=400, metavar="N", help="in a round")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    return parser


if __name__ == "__main__":
    main()
