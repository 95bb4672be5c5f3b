"""How much of a service's rate `dvpt-classify` sees, start, files and records included.

    python -m benchmarks.client

The load generator of the benchmarks and the command take turns against the same service, with the same
pictures in requests of the same size. Two services: one whose engine takes a GPU's time for each batch, as in
`benchmarks.ceiling`, and one that answers at once, which leaves the front end and the client alone. On two
cores the client takes its share from the service. Writes benchmarks/results/client.json.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from adapters.vit.backbone import random_backbone
from benchmarks.common.http_load import Ask, asks_for, run_load
from benchmarks.common.interleaved import interleave, ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import VIT, photograph
from benchmarks.common.processor_time import cpu_seconds
from benchmarks.common.random_store import random_store
from benchmarks.common.running import running

PORT = 8140
FILES = 32
SERVICES = {"model": ("--fixed-ms", 3.0, "--per-picture-ms", 0.2), "at once": ()}


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    figures: dict[str, Any] = {
        "picture_px": options.side_px,
        "pictures": options.pictures,
        "batch": options.batch,
        "concurrency": options.concurrency,
    }
    with tempfile.TemporaryDirectory() as folder:
        files = [photograph(options.side_px, seed) for seed in range(FILES)]
        pictures = write_pictures(Path(folder) / "pictures", files, options.pictures)
        (task,) = random_store(Path(folder) / "store", random_backbone(VIT), 1)
        asks = asks_for([task] * FILES, files, options.batch)
        for name, flags in SERVICES.items():
            store = Path(folder) / "store"
            with running("benchmarks.common.model_service", store, PORT, *flags) as service:
                figures[name] = one_service(service.pid, task, pictures, asks, options)
            print(f"{name}: {figures[name]}")
    print(write_result("client", figures))


def write_pictures(folder: Path, files: Sequence[bytes], pictures: int) -> Path:
    """That many files, a thousand in a folder."""
    for number in range(pictures):
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[number % len(files)])
    return folder


def one_service(
    pid: int, task: str, pictures: Path, asks: Sequence[Ask], options: argparse.Namespace
) -> dict[str, Any]:
    """Pictures/s of both sides, the command's over the load generator's, and processor time of a picture."""
    numbers, outputs = count(), Path(tempfile.mkdtemp(dir=pictures.parent))

    def load() -> None:
        requests = options.pictures // options.batch
        done = asyncio.run(run_load(PORT, asks, connections=options.concurrency, requests=requests))
        if set(done.statuses) != {200}:
            raise RuntimeError(f"the service answered {done.statuses}")

    def command() -> None:
        out = outputs / f"{next(numbers)}.{options.format}"
        words = [sys.executable, "-m", "service.client.command.cli", f"--task={task}", f"--out={out}"]
        words += [f"--url=http://127.0.0.1:{PORT}", f"--batch={options.batch}"]
        words += [f"--concurrency={options.concurrency}", str(pictures)]
        subprocess.run(words, check=True, capture_output=True)

    service_began, command_began = cpu_seconds(pid), _ended_children_s()
    times = interleave({"load generator": load, "dvpt-classify": command}, options.rounds)
    rates = {name: round(options.pictures / float(np.median(took)), 1) for name, took in times.items()}
    asked = options.pictures * (options.rounds + 1)  # by each side
    return {
        "processor_ms_per_picture": {
            "service": round(1000 * (cpu_seconds(pid) - service_began) / (2 * asked), 3),
            "dvpt-classify": round(1000 * (_ended_children_s() - command_began) / asked, 3),
        },
        "pictures_per_s": rates,
        "ratio": rounded(ratio(times["load generator"], times["dvpt-classify"])),
    }


def _ended_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side-px", type=int, default=256, metavar="PX", help="of the pictures sent")
    parser.add_argument("--pictures", type=int, default=8000, metavar="N", help="in a round")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="pictures of a request")
    parser.add_argument("--concurrency", type=int, default=8, metavar="N", help="requests at a time")
    parser.add_argument("--format", default="csv", help="of the command's output")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    return parser


if __name__ == "__main__":
    main()
