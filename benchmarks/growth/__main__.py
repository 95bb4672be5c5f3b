"""How cost grows: with tasks, pictures in a batch, clients, and pixels; each with the limit drawn in.

    python -m benchmarks.growth [--backbone NAME --weights FILE] [--only tasks batch clients pictures]

Tasks and batches: the engine alone, against the bare ViT of as many tokens. Clients: HTTP to the service,
each asking on and on, against the engine alone. Pictures: processor time of the service, its engine answering
at once, against bare decoding and resizing. Writes benchmarks/results/growth.json and docs/growth-*.png.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adapters.config import PreprocessConfig
from adapters.device import choose_device, choose_dtype
from adapters.pictures.preprocess import to_pixels
from adapters.vit.backbone import Backbone, load_backbone
from benchmarks.common.bare_vit import bare_vit, own_pass
from benchmarks.common.http_load import Ask, Load, asks_for, run_load
from benchmarks.common.interleaved import Call, interleave, seconds
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import photograph
from benchmarks.common.processor_time import cpu_seconds
from benchmarks.common.random_store import random_store
from benchmarks.common.resident import Resident, add_engine_flags, make_resident, pictures
from benchmarks.common.running import running
from benchmarks.growth.plots import plot_growth

PORT = 8128
TASKS_SERVED = 100
PICTURE_PX = 256
FILES = 8
DECODING_CLIENTS = 4
LARGE_PX = 1000
Figures = dict[str, Any]


def main() -> None:
    """Measure, write and draw."""
    options = _parser().parse_args()
    backbone = load_backbone(options.backbone, weights=options.weights)
    figures: Figures = {"backbone": options.backbone, "device": options.device, "rounds": options.rounds}
    for name in options.only:
        figures[name] = GROWTHS[name](backbone, options)
        print(f"{name}: {figures[name]}")
        plot_growth(name, figures[name], options.docs / f"growth-{name}.png")
    print(write_result("growth", figures))


def over_tasks(backbone: Backbone, options: argparse.Namespace) -> Figures:
    """Pictures/s of one batch size, its rows' tasks drawn from more and more resident ones."""
    resident, batch = _resident(backbone, options, max(options.tasks)), options.batch
    images = pictures(batch, backbone.config.image_size)
    draws = np.random.default_rng(0)
    sides: dict[str, Call] = {
        str(count): partial(resident.answer, images, draws.integers(count, size=batch).tolist())
        for count in options.tasks
    }
    sides["limit"] = _bare(backbone, options, batch)
    times = interleave(sides, options.rounds, warm=2)
    limit = _rate(batch, times.pop("limit"))
    return {
        "batch": batch, "bank_bytes": resident.bank.memory_bytes(),
        "pictures_per_s": {name: _rate(batch, own) for name, own in times.items()},
        "limit": dict.fromkeys(times, limit),
    }  # fmt: skip


def over_batch(backbone: Backbone, options: argparse.Namespace) -> Figures:
    """Pictures/s of mixed batches of more and more pictures, and of the bare ViT on as many."""
    resident = _resident(backbone, options, TASKS_SERVED)
    images = pictures(max(options.batches), backbone.config.image_size)
    sides: dict[str, Call] = {}
    for batch in options.batches:
        rows = [row % TASKS_SERVED for row in range(batch)]
        sides[f"own {batch}"] = partial(resident.answer, images[:batch], rows)
        sides[f"bare {batch}"] = _bare(backbone, options, batch)
    times = interleave(sides, max(3, options.rounds // 3))
    own, bare = (
        {str(batch): _rate(batch, times[f"{side} {batch}"]) for batch in options.batches}
        for side in ("own", "bare")
    )
    return {"tasks": TASKS_SERVED, "pictures_per_s": own, "limit": bare}


def over_clients(backbone: Backbone, options: argparse.Namespace) -> Figures:
    """Pictures/s and p99 of more and more clients at once, and the engine alone in turn with them."""
    resident, batch = _resident(backbone, options, TASKS_SERVED), options.batch
    images = pictures(batch, backbone.config.image_size)
    bare = partial(resident.answer, images, [row % TASKS_SERVED for row in range(batch)])
    files = [photograph(PICTURE_PX, seed) for seed in range(FILES)]
    loads: dict[str, list[Load]] = {str(count): [] for count in options.clients}
    bare_s = []
    with tempfile.TemporaryDirectory() as folder:
        tasks = random_store(Path(folder), backbone, TASKS_SERVED)
        asks = asks_for(tasks, files)
        weights = ["--weights", options.weights] if options.weights else []
        flags = ("--device", options.device, "--torch-threads", options.threads, "--max-batch", batch)
        with running("service.cli", Path(folder), PORT, *flags, *weights):
            for _ in range(options.passes + 1):  # the first warms up
                bare_s.append(seconds(bare))
                for count in options.clients:
                    loads[str(count)].append(_load(asks, count, max(options.requests, 2 * count)))
    measured = {name: own[1:] for name, own in loads.items()}
    rates = {name: [len(load.seconds) / load.elapsed_s for load in own] for name, own in measured.items()}
    p99 = {name: [float(np.quantile(load.seconds, 0.99)) for load in own] for name, own in measured.items()}
    return {
        "picture_px": PICTURE_PX, "tasks": TASKS_SERVED, "max_batch": batch,
        "pictures_per_s": {name: round(float(np.median(own)), 1) for name, own in rates.items()},
        "p99_ms": {name: round(1000 * float(np.median(own)), 1) for name, own in p99.items()},
        "limit": dict.fromkeys(loads, _rate(batch, bare_s[1:])),
    }  # fmt: skip


def over_pictures(backbone: Backbone, options: argparse.Namespace) -> Figures:
    """The server's processor time for a picture by side length, its engine answering at once, and bare."""
    own: dict[str, list[float]] = {str(side): [] for side in options.sides}
    bare: dict[str, list[float]] = {str(side): [] for side in options.sides}
    files = {side: [photograph(side, seed) for seed in range(_files(side))] for side in options.sides}
    with tempfile.TemporaryDirectory() as folder:
        tasks = random_store(Path(folder), backbone, TASKS_SERVED)
        with running("benchmarks.common.model_service", Path(folder), PORT) as process:
            for _ in range(options.passes + 1):
                for side, data in files.items():
                    asks = asks_for(tasks, data)
                    count = max(8, min(2 * options.requests, int(options.requests * (500 / side) ** 2)))
                    before = cpu_seconds(process.pid)
                    _load(asks, DECODING_CLIENTS, count)
                    own[str(side)].append((cpu_seconds(process.pid) - before) / count)
                    bare[str(side)].append(_decoding_s(data, count, backbone.config.image_size))
    return {
        "cpu_ms_per_picture": {name: _ms(times[1:]) for name, times in own.items()},
        "limit": {name: _ms(times[1:]) for name, times in bare.items()},
    }


GROWTHS: dict[str, Callable[[Backbone, argparse.Namespace], Figures]] = {
    "tasks": over_tasks, "batch": over_batch, "clients": over_clients, "pictures": over_pictures,
}  # fmt: skip


def _resident(backbone: Backbone, options: argparse.Namespace, tasks: int) -> Resident:
    return make_resident(
        backbone,
        tasks,
        weights=options.weights,
        device=options.device,
        torch_threads=options.threads,
        max_batch=max(options.batch, *options.batches),
    )


def _bare(backbone: Backbone, options: argparse.Namespace, batch: int) -> Call:
    device = choose_device(options.device)
    bare = bare_vit(backbone).prepare(device, choose_dtype("auto", device))
    return own_pass(bare, torch.stack(pictures(batch, backbone.config.image_size)))


def _load(asks: Sequence[Ask], clients: int, requests: int) -> Load:
    load = asyncio.run(run_load(PORT, asks, connections=clients, requests=requests))
    if set(load.statuses) != {200}:
        raise RuntimeError(f"the service answered {load.statuses}")
    return load


def _decoding_s(files: Sequence[bytes], count: int, image_size: int) -> float:
    """Processor seconds a picture of decoding and resizing alone."""
    config = PreprocessConfig()
    began = time.thread_time()
    for number in range(count):
        to_pixels(files[number % len(files)], config, image_size)
    return (time.thread_time() - began) / count


def _files(side_px: int) -> int:
    """Fewer large ones: drawing them takes longer than decoding them."""
    return FILES if side_px <= LARGE_PX else 2


def _ms(times_s: Sequence[float]) -> float:
    return round(1000 * float(np.median(times_s)), 3)


def _rate(pictures: int, times_s: Sequence[float]) -> float:
    return round(pictures / float(np.median(times_s)), 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    parser.add_argument("--only", nargs="+", default=list(GROWTHS), choices=list(GROWTHS))
    parser.add_argument("--threads", default=1, **number, help="of the engine, on a CPU")
    parser.add_argument("--batch", default=32, **number, help="where the batch does not grow")
    parser.add_argument("--tasks", nargs="+", default=[1, 10, 100, 1000, 10_000], **number)
    parser.add_argument("--batches", nargs="+", default=[2**n for n in range(9)], **number)
    parser.add_argument("--clients", nargs="+", default=[4**n for n in range(5)], **number)
    parser.add_argument("--sides", nargs="+", default=[64, 128, 256, 512, 1024, 2048, 3464], **number)
    parser.add_argument("--requests", default=150, **number, help="of each number of clients, in a pass")
    parser.add_argument("--passes", default=2, **number, help="over clients and picture sizes")
    parser.add_argument("--rounds", default=12, **number, help="of the engine")
    parser.add_argument("--docs", type=Path, default=Path("docs"), metavar="DIR", help="for the plots")
    return parser


if __name__ == "__main__":
    main()
