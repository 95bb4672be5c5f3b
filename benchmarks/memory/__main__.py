"""What a task costs in memory, and where the memory of a service with a thousand of them is.

    python -m benchmarks.memory [--backbone NAME] [--tasks N]

The service is the real one in a process of its own, its backbone of random weights. Its memory is noted from
step to step of its start, under load (requests of every number of pictures, so that batches have every size)
and while versions are loaded and unloaded. Ends with an error if there is more than one backbone in memory.
Writes benchmarks/results/memory.json.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from adapters.store.artifact import Artifact
from adapters.store.store import Store
from benchmarks.common.http_load import run_load, several, single
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import photograph
from benchmarks.common.process_memory import peak_rss, process_memory
from benchmarks.common.random_store import random_store
from benchmarks.common.random_weights import random_weights
from benchmarks.common.resident import bytes_per_task, make_resident
from benchmarks.common.running import Running, running

PORT = 8126
VIT = "vit_base_patch16_224"
CHANGED = 20
MB = 1e6


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    figures = measure(options)
    print(f"a task: {figures['bytes_per_task']['computed']:,} bytes of tensors, "
          f"{figures['bytes_per_task']['measured']:,} bytes of the process")  # fmt: skip
    for name, part in figures["parts"].items():
        print(f"{name:>12}: {part['anonymous'] / MB:8.1f} MB its own, {part['rss'] / MB:8.1f} MB with files")
    for name in ("tensors", "ready", "after_load", "after_changes"):
        print(f"{name}: {figures[name]}")
    print(write_result("memory", figures))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Every figure of one backbone and number of tasks."""
    with tempfile.TemporaryDirectory() as folder:
        backbone, weights = random_weights(options.backbone, Path(folder))
        resident = make_resident(
            backbone, 1, weights=weights, classes=options.classes, device="cpu", torch_threads=1
        )
        computed, config = bytes_per_task(resident), backbone.config
        del resident
        root, notes = Path(folder, "store"), Path(folder, "notes.json")
        tasks = random_store(root, backbone, options.tasks, options.classes)
        del backbone
        serve = ("--notes", notes, "--weights", weights, "--device", "cpu", "--torch-threads", 1)
        slots = options.slots or options.tasks
        looks = ("--preload", "*", "--watch-interval-s", 0.05)
        more = (*looks, "--slots-per-layout", slots, "--max-batch", options.batch)
        with running("benchmarks.memory.service", root, PORT, *serve, *more) as process:
            noted = json.loads(notes.read_text())
            if noted["tensors"]["backbones"] != 1:
                raise RuntimeError(f"{noted['tensors']['backbones']} backbones are in memory, not one")
            figures = {"ready": _memory(process)}
            _ask(tasks, options)
            figures["after_load"] = _memory(process)
            _change_versions(Store.open(root), tasks[:CHANGED], options.changes)
            figures["after_changes"] = _memory(process)
    measured = noted["parts"]["adapters"]["anonymous"] // options.tasks
    return {
        "backbone": config.name, "classes": options.classes, "tasks": options.tasks, "slots": slots,
        "changes": options.changes, "bytes_per_task": {"computed": computed, "measured": measured},
        **noted, **figures,
    }  # fmt: skip


def _memory(process: Running) -> dict[str, int]:
    now = process_memory(process.pid)
    return {"rss": now.rss, "pss": now.pss, "anonymous": now.anonymous, "peak_rss": peak_rss(process.pid)}


def _ask(tasks: list[str], options: argparse.Namespace) -> None:
    """Requests of 1 … `--batch` pictures, one after the other: a batch of each size."""
    picture = photograph(224, 0)
    asks = [
        several(tasks[count % len(tasks)], [picture] * count)
        for count in range(1, options.batch + 1, options.step)
    ]
    load = asyncio.run(run_load(PORT, asks, connections=1, requests=len(asks)))
    if set(load.statuses) != {200}:
        raise RuntimeError(f"the service answered {load.statuses}")


def _change_versions(store: Store, tasks: list[str], changes: int) -> None:
    """Publish again and again, ask each new version once it is stable, and delete the old ones."""
    artifacts: dict[str, Artifact] = {task: store.load(task, 1) for task in tasks}
    picture = photograph(64, 0)
    for number in range(changes):
        task = tasks[number % len(tasks)]
        store.publish(task, artifacts[task])
        store.prune(task, keep=1)
        if number % len(tasks) == len(tasks) - 1:
            time.sleep(0.2)
            asyncio.run(run_load(PORT, [single(task, picture)], connections=1, requests=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default=VIT, metavar="NAME", help="timm's name")
    parser.add_argument("--tasks", type=int, default=1000, metavar="N")
    parser.add_argument("--classes", type=int, default=100, metavar="N")
    parser.add_argument("--slots", type=int, metavar="N", help="below --tasks, the others wait on the host")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="the largest batch")
    parser.add_argument("--step", type=int, default=4, metavar="N", help="from one batch size to the next")
    parser.add_argument("--changes", type=int, default=400, metavar="N", help="versions loaded and unloaded")
    return parser


if __name__ == "__main__":
    main()
