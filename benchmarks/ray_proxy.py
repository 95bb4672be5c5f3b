"""What Ray's fronts cost beside the service's own: pictures a second, p50, p99 and processor time.

    .venv-ray/bin/python -m benchmarks.ray_proxy

One picture of 64 px a request and an engine that answers at once. The sides take turns in every round, while
the others wait; what those take meanwhile stands in their idle share. `haproxy` is
RAY_SERVE_ENABLE_HA_PROXY=1. Writes benchmarks/results/ray_proxy.json.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from adapters.vit.backbone import random_backbone
from benchmarks.common.http_load import Ask, Load, asks_for, run_load
from benchmarks.common.interleaved import ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import VIT, photograph
from benchmarks.common.processor_time import tree_seconds
from benchmarks.common.random_store import random_store
from benchmarks.common.running import Running, running

OWN = "dvpt-serve"
SIDES: dict[str, tuple[str, ...]] = {
    OWN: ("model_service",),
    "dvpt-serve --workers 2": ("model_service", "--workers", "2"),
    "proxy": ("ray_service",),
    "proxy, 2 replicas": ("ray_service", "--replicas", "2"),
    "haproxy, 2 replicas": ("ray_service", "--replicas", "2", "--front", "haproxy"),
}
"""Each side's module of benchmarks.common, and its flags."""
PORT = 8150
FILES = 32
TASKS = 20
SETTLE_S = 10.0
IDLE_S = 5.0
PARTS = {"ProxyActor": "proxy", "bin/haproxy": "proxy", "ServeReplica": "replica", "model_service": "replica"}
"""What a process is to a request, by a part of its command line; the rest is Ray's own."""


@dataclass
class Side:
    """One front, its rounds so far, and what it takes of the processor by part."""

    port: int
    service: Running
    loads: list[Load] = field(default_factory=list)
    part_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def spent_s(self) -> dict[str, float]:
        """Processor seconds of all of its processes so far, by part."""
        spent: dict[str, float] = dict.fromkeys((*PARTS.values(), "others"), 0.0)
        for command, seconds in tree_seconds(self.service.pid):
            found = next((part for name, part in PARTS.items() if name in command), "others")
            spent[found] += seconds
        return spent


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    figures = measure(options)
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    print(write_result("ray_proxy", figures))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Every front in turn, round by round."""
    files = [photograph(options.side_px, seed) for seed in range(FILES)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        tasks = random_store(Path(folder), random_backbone(VIT), TASKS)
        asks = asks_for(tasks, files)
        sides = _start(stack, Path(folder), options.sides)
        time.sleep(SETTLE_S)  # Ray goes on for a while: HAProxy is loaded anew and drops its connections
        idle = {name: _idle(side) for name, side in sides.items()}
        order = list(sides)
        for number in range(options.rounds + 1):  # the first warms all up
            random.Random(number).shuffle(order)
            for name in order:
                _round(sides[name], asks, options, counts=number > 0)
    own = sides[OWN]
    head = {"picture_px": options.side_px, "connections": options.connections}
    return head | {name: _figure(side, own, idle[name], options.requests) for name, side in sides.items()}


def _start(stack: ExitStack, store: Path, names: Sequence[str]) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    for number, name in enumerate(dict.fromkeys([OWN, *names])):
        module, *flags = SIDES[name]
        service = stack.enter_context(running(f"benchmarks.common.{module}", store, PORT + number, *flags))
        sides[name] = Side(PORT + number, service)
    return sides


def _idle(side: Side) -> float:
    """The share of one core that it takes while nobody asks."""
    before = sum(side.spent_s().values())
    time.sleep(IDLE_S)
    return (sum(side.spent_s().values()) - before) / IDLE_S


def _round(side: Side, asks: Sequence[Ask], options: argparse.Namespace, *, counts: bool) -> None:
    before = side.spent_s()
    load = asyncio.run(run_load(side.port, asks, connections=options.connections, requests=options.requests))
    if set(load.statuses) != {200}:
        raise RuntimeError(f"port {side.port} answered {load.statuses}")
    if counts:
        side.loads.append(load)
        for part, seconds in side.spent_s().items():
            side.part_s[part].append(seconds - before[part])


def _figure(side: Side, own: Side, idle: float, requests: int) -> dict[str, Any]:
    seconds = np.concatenate([load.seconds for load in side.loads])
    whole = [sum(parts) for parts in zip(*side.part_s.values(), strict=True)]
    own_whole = [sum(parts) for parts in zip(*own.part_s.values(), strict=True)]
    return {
        "pictures_per_s": round(requests / float(np.median([load.elapsed_s for load in side.loads])), 1),
        "p50_ms": round(1000 * float(np.quantile(seconds, 0.5)), 2),
        "p99_ms": round(1000 * float(np.quantile(seconds, 0.99)), 2),
        "processor_ms_per_picture": {
            part: round(1000 * float(np.median(spent)) / requests, 3) for part, spent in side.part_s.items()
        },
        "processor_over_own": rounded(ratio(whole, own_whole)),
        "idle_share_of_a_core": round(idle, 4),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=[*SIDES])
    parser.add_argument("--side-px", type=int, default=64, metavar="PX", help="of the pictures sent")
    parser.add_argument("--connections", type=int, default=8, metavar="N")
    parser.add_argument("--requests", type=int, default=1000, metavar="N", help="of a round")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    return parser


if __name__ == "__main__":
    main()
