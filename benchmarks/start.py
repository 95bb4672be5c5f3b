"""From process start to ready, part by part, and which packages the imports are.

    python -m benchmarks.start [--backbone NAME --weights FILE] [--tasks N]

A fresh service process each round; its own log tells the parts. The imports are then made once more under
`python -X importtime`, which slows them down, for each package's share. Pieces of the backbone's and the
bank's parts are timed in this process. Writes benchmarks/results/start-<backbone>-<device>.json.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from adapters.bank.bank import AdapterBank
from adapters.device import choose_device, choose_dtype
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout
from adapters.vit.backbone import Backbone, load_backbone, weights_digest
from benchmarks.common.interleaved import seconds
from benchmarks.common.machine import write_result
from benchmarks.common.random_store import random_store
from benchmarks.common.resident import add_engine_flags
from benchmarks.common.running import running

PORT = 8127
STAGES = ("backbone_ms", "adapters_ms", "warm_up_ms")
IMPORTS = "import service.command, adapters.vit.backbone, adapters.store.store, service.app, service.server"
WHOLE = ("torch", "timm", "torch._dynamo", "fastapi", "uvicorn", "service.app")
SLOTS = 1024
PACKAGES = 12


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    figures = measure(options)
    for name, value in figures["parts_ms"].items():
        print(f"{name:>26}: {value:8.0f} ms, {100 * value / figures['process_to_ready_ms']:3.0f} %")
    for name in ("inside_ms", "imports_whole_ms", "imports_by_package_ms"):
        print(f"{name}: {figures[name]}")
    kind = options.device.partition(":")[0]
    print(write_result(f"start-{options.backbone}-{kind}", figures))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Medians of the rounds, and what is inside the parts."""
    backbone = load_backbone(options.backbone, weights=options.weights)
    weights = ["--weights", options.weights] if options.weights else []
    flags = (
        "--device",
        options.device,
        "--torch-threads",
        1,
        "--slots-per-layout",
        SLOTS,
        "--preload",
        "*",
        *weights,
    )
    with tempfile.TemporaryDirectory() as folder:
        random_store(Path(folder), backbone, options.tasks)
        rounds = [one_start(Path(folder), flags) for _ in range(options.rounds + 1)][1:]  # files are cached
    parts = {name: round(float(np.median([each[name] for each in rounds])), 1) for name in rounds[0]}
    imports = imported()
    return {
        "backbone": options.backbone, "device": options.device, "tasks": options.tasks,
        "rounds": options.rounds, "process_to_ready_ms": round(sum(parts.values()), 1), "parts_ms": parts,
        "inside_ms": inside(backbone, options),
        "imports_whole_ms": {name: round(whole / 1000) for name, _, whole in imports if name in WHOLE},
        "imports_by_package_ms": by_package(imports),
    }  # fmt: skip


def one_start(store: Path, flags: Sequence[object]) -> dict[str, float]:
    """Part → ms of one start of the service."""
    began = time.time()
    with running("service.cli", store, PORT, *flags) as service:
        log = list(service.log)
    settings_s, started_s = (_moment(_line(log, event)) - began for event in (" settings ", " started "))
    fields = dict(word.split("=", 1) for word in _line(log, " started ").split() if "=" in word)
    stages = {name: float(fields[name]) for name in STAGES}
    return {
        "interpreter and settings": 1000 * settings_s,
        "imports and wiring": 1000 * (started_s - settings_s) - sum(stages.values()),
        "backbone": stages["backbone_ms"],
        "adapters": stages["adapters_ms"],
        "warm-up": stages["warm_up_ms"],
    }


def imported() -> list[tuple[str, int, int]]:
    """Module, its own µs, and µs with what it imports, of all that the service imports."""
    command = [sys.executable, "-X", "importtime", "-c", IMPORTS]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    rows = [line.removeprefix("import time:").split("|") for line in output.splitlines()]
    return [
        (name.strip(), int(own), int(whole))
        for own, whole, name in (row for row in rows if len(row) == 3)
        if own.strip().isdigit()
    ]


def by_package(modules: Iterable[tuple[str, int, int]]) -> dict[str, int]:
    """Package → ms of its own modules, the costliest first."""
    total: Counter[str] = Counter()
    for name, own, _ in modules:
        total[name.partition(".")[0]] += own
    return {name: round(own / 1000) for name, own in total.most_common(PACKAGES)}


def inside(backbone: Backbone, options: argparse.Namespace) -> dict[str, float]:
    """Pieces of two parts, in this process."""
    device = choose_device(options.device)
    dtype = choose_dtype("auto", device)
    bank = AdapterBank(backbone.config, device=device, dtype=dtype, slots_per_layout=SLOTS)
    layout = Layout.of(DvptOptions(), backbone.config)
    state = backbone.vit.state_dict()
    pieces = {
        "load the backbone": lambda: load_backbone(options.backbone, weights=options.weights),
        "of it, digest of the weights": lambda: weights_digest(state),
        "allocate a layout's slots": lambda: bank.tensors(layout),
        "cast and move the backbone": lambda: backbone.prepare(device, dtype),
    }
    return {name: round(1000 * seconds(piece), 1) for name, piece in pieces.items()}


def _line(log: Sequence[str], event: str) -> str:
    for line in log:
        if event in line:
            return line
    raise RuntimeError(f"the service did not log{event}")


def _moment(line: str) -> float:
    return datetime.fromisoformat(line.split(maxsplit=1)[0]).timestamp()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    parser.add_argument("--tasks", type=int, default=100, metavar="N", help="adapters in the store")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    return parser


if __name__ == "__main__":
    main()
