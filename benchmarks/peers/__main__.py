"""Ours against LitServe, Ray Serve and plain FastAPI: a hundred tasks, each server with the same adapters.

    python -m benchmarks.peers --engine model      # one time model behind all of them
    python -m benchmarks.peers --engine vit        # the real ViT, on the CPU or with --device cuda:0

Requests of one JPEG come over HTTP in an open loop (Poisson), their tasks by Zipf's law. Each server is
offered parts of its own measured capacity, step by step in turns with the others. Goodput is the load at
which p99 reaches the limit; p99 is compared at one load for all. docs/peers.md has how each peer serves and
how to install them. Writes benchmarks/results/peers-model.json or peers-vit-<device>.json.

The time model is ViT-B/16 at 224 pixels in bf16. A picture takes 0.2 ms: 5,059 pictures/s are published for
an RTX PRO 6000 (timm's results), the most for any single GPU. A forward pass takes 3 ms besides: that is no
published figure but what launching it eagerly takes. Its 300 operators cost 2 ms of Python and of torch's
dispatcher on one core of a Xeon (counted and timed with tiny tensors), to which come a few microseconds for
each of 200 kernels, and the copies. CUDA graphs would make it about 1 ms for whoever captures them for each
task and batch: see `--fixed-ms`. All times are multiplied by `--slowdown`, so that on two cores the engine is
the limit and not Python; what is printed and written is divided by it again.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from adapters.vit.backbone import load_backbone
from benchmarks.common.http_load import Ask
from benchmarks.common.interleaved import ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import photograph
from benchmarks.common.random_store import random_store
from benchmarks.common.resident import add_engine_flags
from benchmarks.common.running import Running
from benchmarks.peers.figures import (
    Step,
    engine_limit_per_s,
    expected_tasks,
    goodput_per_s,
    p99,
    step,
    zipf_shares,
)
from benchmarks.peers.load import ask_once, capacity_per_s, offer
from benchmarks.peers.servers import OURS, Server, all_servers, awake, kind_of, slowdown_of, waits_ms
from benchmarks.scheduler.traffic import Traffic, arrivals

PEERS = ("litserve", "ray_serve", "fastapi")
FILES = 32
PATIENCE = 3.0
EQUAL_SHARE = 0.75
AGREE = 0.02
P99_MS = {"gpu": 100.0, "cpu": 1000.0}
BATCH = {"gpu": 64, "cpu": 16}
PACKAGES = ("fastapi", "uvicorn", "litserve", "ray")


@dataclass
class Side:
    """One server that runs, what it is asked, and what it has shown so far."""

    server: Server
    process: Running
    asks: list[Ask]
    capacity_per_s: float = 0.0
    rounds: list[list[Step]] = field(default_factory=list)
    equal_p99_s: list[float] = field(default_factory=list)

    def offer(self, load_per_s: float, options: argparse.Namespace, seed: int) -> list[float]:
        """Latencies at a load, after which nothing is left waiting."""
        seconds = max(options.seconds, options.requests / load_per_s)
        traffic = Traffic(load_per_s, tasks=options.tasks, seconds=seconds, popularity="zipf", seed=seed)
        coming = arrivals(traffic)
        asks = [self.asks[int(request.task.removeprefix("task-"))] for request in coming]
        moments_s = [request.at_s for request in coming]
        with awake(self.process):
            patience_s = PATIENCE * limit_s(options)
            latencies_s = asyncio.run(offer(self.server.port, asks, moments_s, patience_s))
            asyncio.run(ask_once(self.server.port, self.asks[0]))
        return latencies_s


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    options.batch = options.batch or BATCH[kind_of(options)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server is left behind
    figures = measure(options)
    limit = f"{figures['p99_limit_ms']:g} ms"
    for name, rate in figures["goodput_per_s"].items():
        p99_ms = figures["p99_ms_at_equal_load"][name]
        print(f"{name}: {rate}/s at p99 {limit}; p99 {p99_ms} ms at {figures['equal_load_per_s']}/s")
    for name, over in figures["goodput_ours_over"].items():
        print(f"ours / {name}: {over} times the goodput")
    print(write_result(result_name(options), figures))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds of all servers."""
    backbone = load_backbone(options.backbone, weights=options.weights)
    files = [photograph(options.side_px, seed) for seed in range(FILES)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        tasks = random_store(Path(folder), backbone, options.tasks)
        sides = []
        for server in all_servers(options):
            asks = [server.ask(task, files[number % FILES]) for number, task in enumerate(tasks)]
            sides.append(Side(server, stack.enter_context(server.started(Path(folder))), asks))
        agreement = agree(sides)
        calibrate(sides, options)
        equal_load_per_s = EQUAL_SHARE * min(side.capacity_per_s for side in sides)
        for number in range(options.rounds):
            one_round(sides, equal_load_per_s, options, number)
    return {
        "engine": options.engine,
        "device": options.device,
        "backbone": backbone.config.name,
        "versions": {package: version(package) for package in PACKAGES if _there(package, options.peers)},
        "settings": _settings(options),
        "p99_limit_ms": _limit_ms(options),
        "probabilities_differ_by": agreement,
        **(_limits(options) if options.engine == "model" else {}),
        **summary(sides, equal_load_per_s, options),
    }


def agree(sides: Sequence[Side]) -> float:
    """The greatest difference from our probabilities for one picture. Raises RuntimeError if too great."""
    answers = []
    for side in sides:
        with awake(side.process):
            classes = asyncio.run(ask_once(side.server.port, side.asks[3]))["predictions"][0]["classes"]
        answers.append({one["label"]: one["probability"] for one in classes})
    ours, *others = answers
    worst = max(
        (
            abs(ours[label] - one.get(label, 0.0))
            for one in others
            for label in ours
            if ours[label] > 2 * AGREE
        ),
        default=0.0,
    )
    if worst > AGREE:
        raise RuntimeError(f"the servers do not answer alike: probabilities differ by {worst:.3f}")
    return round(worst, 4)


def calibrate(sides: Sequence[Side], options: argparse.Namespace) -> None:
    """Each server's capacity with more clients than fill a batch, the best of two turns; warms it up too."""
    draw = random.Random(0)
    for side in (*sides, *sides):
        asks = draw.choices(side.asks, zipf_shares(options.tasks), k=1000)
        connections, seconds = 2 * options.batch, options.seconds
        with awake(side.process):
            load = capacity_per_s(side.server.port, asks, connections=connections, seconds=seconds)
            side.capacity_per_s = max(side.capacity_per_s, asyncio.run(load))
        print(f"{side.server.name}: {side.capacity_per_s:.1f}/s at most", flush=True)


def one_round(
    sides: Sequence[Side], equal_load_per_s: float, options: argparse.Namespace, number: int
) -> None:
    """Every step of every server, the servers in turn within a step."""
    order = list(sides)
    shuffle = random.Random(number)
    for side in order:
        side.rounds.append([])
    for place, share in enumerate(options.shares):
        shuffle.shuffle(order)
        for side in order:
            load_per_s = share * side.capacity_per_s
            latencies_s = side.offer(load_per_s, options, seed=100 * number + place)
            side.rounds[-1].append(step(load_per_s, latencies_s, limit_s(options)))
    shuffle.shuffle(order)
    for side in order:
        side.equal_p99_s.append(p99(side.offer(equal_load_per_s, options, seed=100 * number + 99)))


def summary(sides: Sequence[Side], equal_load_per_s: float, options: argparse.Namespace) -> dict[str, Any]:
    """Medians over the rounds, and ours over each peer, round by round; times as if nothing were slowed."""
    slowdown = slowdown_of(options)
    patience_s = PATIENCE * limit_s(options)
    goodput = {
        side.server.name: [goodput_per_s(steps, limit_s(options), patience_s) for steps in side.rounds]
        for side in sides
    }
    waits = {side.server.name: [min(one, patience_s) for one in side.equal_p99_s] for side in sides}
    peers = [name for name in goodput if name != OURS]
    return {
        "capacity_per_s": {
            side.server.name: round(side.capacity_per_s * slowdown, 1) for side in sides
        },
        "goodput_per_s": {
            name: round(slowdown * float(np.median(rates)), 1) for name, rates in goodput.items()
        },
        "kept_the_limit_at_every_step": [
            side.server.name
            for side in sides
            if any(all(one.p99_s <= limit_s(options) for one in steps) for steps in side.rounds)
        ],
        "goodput_ours_over": {name: rounded(ratio(goodput[OURS], goodput[name])) for name in peers},
        "equal_load_per_s": round(slowdown * equal_load_per_s, 1),
        "p99_ms_at_equal_load": {
            name: round(1000 * float(np.median(times)) / slowdown, 2) for name, times in waits.items()
        },
        "p99_over_ours": {name: rounded(ratio(waits[name], waits[OURS])) for name in peers},
        "steps": {side.server.name: _sweep(side, options) for side in sides},
    }  # fmt: skip


def result_name(options: argparse.Namespace) -> str:
    """The result file's name."""
    kind = options.device.partition(":")[0]
    return "peers-model" if options.engine == "model" else f"peers-vit-{kind}"


def limit_s(options: argparse.Namespace) -> float:
    """The limit of p99 in the time that passes here."""
    return _limit_ms(options) / 1000 * slowdown_of(options)


def _limit_ms(options: argparse.Namespace) -> float:
    return float(options.p99_ms or P99_MS[kind_of(options)])


def _sweep(side: Side, options: argparse.Namespace) -> list[dict[str, float | None]]:
    """Load, the rounds' median p99 (nothing where it is beyond all patience), and good answers."""
    slowdown, rows = slowdown_of(options), []
    for steps in zip(*side.rounds, strict=True):
        p99_s = float(np.median([one.p99_s for one in steps]))
        rows.append({
            "load_per_s": round(slowdown * steps[0].load_per_s, 1),
            "p99_ms": round(1000 * p99_s / slowdown, 2) if np.isfinite(p99_s) else None,
            "within_per_s": round(slowdown * float(np.median([one.within_per_s for one in steps])), 1),
        })  # fmt: skip
    return rows


def _limits(options: argparse.Namespace) -> dict[str, Any]:
    """What the time model allows at the largest batch: mixed, a pass for each task of it, and one by one."""
    fixed_s, per_picture_s = options.fixed_ms / 1000, options.per_picture_ms / 1000
    passes = expected_tasks(zipf_shares(options.tasks), options.batch)
    return {
        "tasks_in_a_batch": round(passes, 1),
        "engine_limit_per_s": {
            "mixed": round(engine_limit_per_s(fixed_s, per_picture_s, options.batch), 1),
            "by task": round(engine_limit_per_s(fixed_s, per_picture_s, options.batch, passes), 1),
            "one by one": round(engine_limit_per_s(fixed_s, per_picture_s, 1), 1),
        },
    }


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    kept = ("tasks", "batch", "threads", "side_px", "rounds", "seconds", "requests", "shares")
    model = ("fixed_ms", "per_picture_ms", "slowdown") if options.engine == "model" else ()
    return {name: getattr(options, name) for name in (*kept, *model)} | {"wait_ms": waits_ms(options)}


def _there(package: str, peers: Sequence[str]) -> bool:
    return package in ("fastapi", "uvicorn") or any(peer.startswith(package) for peer in peers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    parser.set_defaults(backbone="vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    parser.add_argument("--engine", choices=("model", "vit"), default="model")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--fixed-ms", type=float, default=3.0, help="of a forward pass, of the time model")
    parser.add_argument("--per-picture-ms", type=float, default=0.2, help="of the time model")
    parser.add_argument("--slowdown", type=float, default=10.0, help="of the time model")
    parser.add_argument("--p99-ms", type=float, help="the limit (default: 100, on a CPU 1000)")
    parser.add_argument("--tasks", type=int, default=100, metavar="N")
    parser.add_argument("--batch", type=int, metavar="N", help="largest of every server (64, CPU 16)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the forward pass")
    parser.add_argument("--side-px", type=int, default=256, metavar="PX", help="of the pictures sent")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.75, 1.0, 1.25, 1.5])
    parser.add_argument("--rounds", type=int, default=2, metavar="N")
    parser.add_argument("--seconds", type=float, default=6.0, help="of a step, at least")
    parser.add_argument("--requests", type=int, default=80, help="of a step, at least")
    parser.add_argument("--litserve-wait-ms", type=float, help="its batch_timeout (default: 1, CPU 10)")
    parser.add_argument("--ray-wait-ms", type=float, help="its batch_wait_timeout_s (default: 30, CPU 10)")
    return parser


if __name__ == "__main__":
    main()
