"""What a picture costs with one and with two workers, and what 16 cores and one GPU would make of it.

    python -m benchmarks.workers

Both services run side by side, with an engine that answers at once, and are asked in turn by `wrk` (Debian
has it) with pictures of 64 px, one a request. Processor time of all threads of all processes that serve. The
simulation takes these times, and the GPU's as published or assumed (`simulation.py` has the model). Writes
benchmarks/results/workers.json.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from mmap import mmap
from pathlib import Path
from socket import socketpair
from typing import Any

import numpy as np
import torch

from adapters.bank.bank import AdapterBank
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout
from adapters.vit.backbone import random_backbone
from benchmarks.common.http_load import asks_for
from benchmarks.common.interleaved import ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import VIT, fitted, photograph
from benchmarks.common.processor_time import threads_seconds
from benchmarks.common.random_store import random_store
from benchmarks.common.running import running
from benchmarks.workers.simulation import Costs, simulate
from benchmarks.workers.wrk import Wrk, prepared
from service.engine.torch_engine import TorchEngine

PORT = 8331
SIDE_PX, FILES, TASKS = 64, 32, 20
PROCESSES = (1, 2, 4, 8, 12, 16)
GPUS = {"5,000 a second": (0.001, 1 / 5000 - 0.001 / 64), "H100, 9,770 a second": (0.00087, 0.0000887)}
"""Seconds of a pass and of each of its pictures, from a published rate and as measured with CUDA graphs."""
CLIENTS = 1024
FIRST = ("chrt", "-f", "1")


@dataclass(frozen=True)
class Side:
    """One running service: the processes that serve, and its port."""

    processes: tuple[int, ...]
    port: int

    def come_first(self) -> None:
        """Let every thread run before those of other programs."""
        for process in self.processes:
            for thread in Path(f"/proc/{process}/task").iterdir():
                os.sched_setscheduler(int(thread.name), os.SCHED_FIFO, os.sched_param(1))

    def seconds(self) -> list[float]:
        """Processor time of each process so far."""
        return [threads_seconds(process) for process in self.processes]


def main() -> None:
    """Measure, simulate, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round and side")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--first", action="store_true", help="before all other processes, where those keep the cores busy"
    )
    options = parser.parse_args()
    measured = measure(options.rounds, options.seconds, options.connections, first=options.first)
    print(measured)
    costs = parts(measured["one"]["cpu_us"])
    print({name: round(1e6 * seconds) for name, seconds in asdict(costs).items()})
    simulated = {gpu: simulations(costs, *times) for gpu, times in GPUS.items()}
    figures = {"measured": measured, "parts_us": _us(costs), "simulated": simulated}
    print(write_result("workers", figures))


def measure(rounds: int, seconds: float, connections: int, *, first: bool) -> dict[str, Any]:
    """One process and two workers in turn."""
    with ExitStack() as stack:
        store = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tasks = random_store(store, random_backbone(VIT), tasks=TASKS)
        files = [photograph(SIDE_PX, seed) for seed in range(FILES)]
        asks = [ask for at in range(0, FILES, 8) for ask in asks_for(tasks, files[at:] + files[:at])]
        wrk = stack.enter_context(prepared(asks, FIRST if first else ()))
        sides = {"one": start(store, PORT, 1, stack), "two": start(store, PORT + 1, 2, stack)}
        for side in sides.values():
            wrk.run(side.port, connections, 2)  # warms up, and every thread is there
            if first:
                side.come_first()
        return rounds_of(wrk, sides, rounds, seconds, connections)


def start(store: Path, port: int, workers: int, stack: ExitStack) -> Side:
    """A service until the stack ends."""
    module = "benchmarks.common.model_service"
    process = stack.enter_context(running(module, store, port, "--workers", workers)).pid
    if workers == 1:
        return Side((process,), port)
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return Side(tuple(map(int, children)), port)


def rounds_of(
    wrk: Wrk, sides: Mapping[str, Side], rounds: int, seconds: float, connections: int
) -> dict[str, Any]:
    """Processor time a picture, pictures a second and cores kept busy: medians by side, ratios by round."""
    cpu_s: dict[str, list[float]] = {name: [] for name in sides}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    busy: dict[str, list[float]] = {name: [] for name in sides}
    shares = []
    for number in range(rounds):
        for name in sorted(sides, reverse=bool(number % 2)):
            before, began_s = sides[name].seconds(), time.monotonic()
            answered = wrk.run(sides[name].port, connections, seconds)
            lasted_s = time.monotonic() - began_s
            spent = np.subtract(sides[name].seconds(), before)
            cpu_s[name].append(float(spent.sum()) / answered.requests)
            rates[name].append(answered.requests / answered.seconds)
            busy[name].append(float(spent.sum()) / lasted_s)
            if len(spent) > 1:
                shares.append(float(spent.max() / spent.sum()))
    medians = {
        name: {
            "cpu_us": round(1e6 * float(np.median(cpu_s[name]))),
            "pictures_a_second": round(float(np.median(rates[name]))),
            "cores_busy": round(float(np.median(busy[name])), 2),
        }
        for name in sides
    }
    return medians | {
        "cpu_two_over_one": rounded(ratio(cpu_s["two"], cpu_s["one"])),
        "rate_two_over_one": rounded(ratio(rates["two"], rates["one"])),
        "larger_share_of_two": round(float(np.median(shares or [1.0])), 3),
    }


def parts(picture_us: float) -> Costs:
    """Where the processor time of a picture goes, and what a pass costs the process that launches it."""
    files = [photograph(SIDE_PX, seed) for seed in range(FILES)]
    decode_s = thread_seconds(lambda number: fitted(files[number % FILES]), 2000)
    return Costs(
        serial_s=picture_us / 1e6 - decode_s,
        decode_s=decode_s,
        launch_s=launch_seconds(),
        handover_s=handover_seconds(),
        pass_fixed_s=0.0,
        pass_picture_s=0.0,
    )


def launch_seconds() -> float:
    """A pass of twelve blocks whose tensors are so small that nothing but launching it takes time."""
    backbone = random_backbone(VIT, embed_dim=12, num_heads=1, img_size=16, mlp_ratio=1.0)
    bank = AdapterBank(backbone.config, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=2)
    engine = TorchEngine(backbone.config, bank, device=torch.device("cpu"), dtype=torch.float32)
    engine._encoder = backbone.prepare(torch.device("cpu"), torch.float32)  # noqa: SLF001 - in place of a file
    layout = Layout(DvptOptions())
    torch.set_num_threads(1)
    images = [torch.zeros(3, 16, 16, dtype=torch.uint8)] * 8
    slots = [bank.null_slot(layout)] * 8
    return thread_seconds(lambda _: engine.infer(images, slots), 300)


def handover_seconds() -> float:
    """A picture of 224 px to another process and its answer back, on the side of the engine."""
    ours, theirs = socketpair()
    shared = torch.frombuffer(mmap(-1, 3 * 224 * 224), dtype=torch.uint8).view(3, 224, 224)

    def hand_over(_: int) -> None:
        theirs.send(b"12345678")
        ours.recv(8)
        shared.clone()
        ours.send(b"12345678")
        theirs.recv(8)

    return thread_seconds(hand_over, 5000)


def thread_seconds(call: Callable[[int], object], count: int) -> float:
    """Processor seconds of one call in this thread, the median of ten parts."""
    spent = []
    for part in range(11):
        began_s = time.thread_time()
        for number in range(count // 10):
            call(part + number)
        spent.append((time.thread_time() - began_s) / (count // 10))
    return float(np.median(spent[1:]))


def simulations(costs: Costs, fixed_s: float, picture_s: float) -> dict[str, Any]:
    """Both ways by processes: at saturation, and at half of what the GPU could do."""
    costs = replace(costs, pass_fixed_s=fixed_s, pass_picture_s=picture_s)
    best = 64 / (fixed_s + 64 * picture_s)
    figures: dict[str, Any] = {}
    for processes in PROCESSES:
        for name, one_engine in (("replicas", False), ("one engine", True)):
            full = simulate(costs, processes, one_engine=one_engine, clients=CLIENTS)
            half = simulate(costs, processes, one_engine=one_engine, rate=best / 2)
            figures[f"{processes} processes, {name}"] = {
                "asked on and on": asdict(full),
                "at half the rate": asdict(half),
            }
            print(f"{processes:2} {name:10} {full}\n{'':13} {half}")
    return figures


def _us(costs: Costs) -> dict[str, int]:
    named = ("serial_s", "decode_s", "launch_s", "handover_s")
    return {name.removesuffix("_s"): round(1e6 * getattr(costs, name)) for name in named}


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
