"""What a service costs by how many tasks its store has, most of which nobody asks for.

    python -m benchmarks.growth.published [--sizes 1000 10000 100000] [--zipf-s 3600]

The real service on the embedded backbone, a CPU and one thread, over stores on the local disk with an index.
Start and memory are taken in turn, the rest one size after the other: publish → first right answer, first
answers of cold tasks against warm ones beside other traffic, and an idle service. Then Zipf's traffic over
all tasks of the largest store, with few slots. Every answer is compared with the reference forward, and with
the digest of the adapter that must give it. Writes growth-published.json and
growth-zipf.json to benchmarks/results.
"""

import argparse
import asyncio
import json
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.store.store import Store
from adapters.vit.backbone import EMBEDDED_BACKBONE, Backbone, load_backbone
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import photograph
from benchmarks.common.process_memory import process_memory
from benchmarks.common.processor_time import cpu_seconds
from benchmarks.common.running import Running
from benchmarks.growth.linked_store import VARIANTS, linked_store, variants
from benchmarks.growth.measured import PORT, Client, Measured
from service.residents.store_reader import WHOLE_SHARE

POLL_S = 0.002
COLD_EVERY_S = 0.05
WARM_TASKS = 20
OTHERS = 2
PARTS = ("published", "zipf")
Figures = dict[str, Any]


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    backbone = load_backbone(EMBEDDED_BACKBONE)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name, found in measure(Path(folder), backbone, options).items():
            print(json.dumps(found, indent=2))
            print(write_result(f"growth-{name}", found), flush=True)


def measure(folder: Path, backbone: Backbone, options: argparse.Namespace) -> Figures:
    """What was asked for of: the figures by number of tasks, and Zipf's traffic."""
    stores = _stores(folder, backbone, options.sizes)
    measured = {}
    if "published" in options.only:
        measured["published"] = published(stores, options)
    if "zipf" in options.only:
        measured["zipf"] = zipf(stores[max(options.sizes)], options)
    return measured


def published(stores: dict[int, Measured], options: argparse.Namespace) -> Figures:
    """Every figure but Zipf's by number of tasks, and what is promised of them."""
    sizes: dict[int, Figures] = {count: {} for count in options.sizes}
    starts: dict[int, list[float]] = {count: [] for count in options.sizes}
    memory: dict[int, list[int]] = {count: [] for count in options.sizes}
    for _ in range(options.starts + 1):
        for count, measured in stores.items():
            with measured.service() as service:
                starts[count].append(service.ready_ms)
                memory[count].append(process_memory(service.pid).anonymous)
    for count, measured in stores.items():
        with measured.service() as service:
            sizes[count] = {
                "start_ms": round(float(np.median(starts[count][1:]))),
                "memory_bytes": int(np.median(memory[count][1:])),
                **asyncio.run(while_busy(measured, options)),
                **idle(service, options.idle_s),
            }
        print(f"{count} tasks: {sizes[count]}", flush=True)
    return {
        "backbone": EMBEDDED_BACKBONE, "starts": options.starts, "publishes": options.publishes,
        "cold": options.cold, "sizes": {str(count): found for count, found in sizes.items()},
        "reach": _reach(sizes),
    }  # fmt: skip


async def while_busy(measured: Measured, options: argparse.Namespace) -> Figures:
    """New tasks until they answer, and cold tasks against warm ones, with other traffic beside them."""
    client = Client(measured)
    publish_ms = await _publish_to_answer_ms(measured, options.publishes)
    for task in measured.names[:WARM_TASKS]:
        await client.ask_right(task)
    cold, warm = _spread(measured.names[WARM_TASKS:], options.cold), measured.names[:WARM_TASKS]
    own: dict[str, list[list[float]]] = {"cold": [], "warm": []}
    others: dict[str, list[list[float]]] = {"cold": [], "warm": []}
    wrong = list[str]()
    for part in np.array_split(np.array(cold), options.rounds):
        known = [warm[index % len(warm)] for index in range(len(part))]
        for side, tasks in (("cold", part.tolist()), ("warm", known)):
            seconds, beside, faults = await _beside_others(measured, tasks, warm)
            own[side].append(seconds)
            others[side].append(beside)
            wrong += faults
    return {
        "publish_to_answer_ms": publish_ms,
        "first_answer_median_ms": {
            side: _ms(np.median(np.concatenate(rounds))) for side, rounds in own.items()
        },
        "first_answer_p99_ms": {side: _p99_of_rounds_ms(rounds) for side, rounds in own.items()},
        "others_p99_ms": {side: _p99_of_rounds_ms(rounds) for side, rounds in others.items()},
        "wrong_answers": len(wrong) + len(client.wrong),
    }


async def _publish_to_answer_ms(measured: Measured, publishes: int) -> Figures:
    """From the return of a publish to the first right answer, of new tasks and of new versions in turn."""
    store, client, times = Store.open(measured.root), Client(measured), list[float]()
    for number in range(publishes):
        task = f"new-{number - number % 2}"
        variant = measured.made[number % VARIANTS]
        await asyncio.to_thread(store.publish, task, variant.artifact)
        began = time.perf_counter()
        while True:
            status, body, _ = await client.ask(task)
            if status == 200 and body["digest"] == variant.digest:
                break
            await asyncio.sleep(POLL_S)
        times.append(time.perf_counter() - began)
    return {"median": round(1000 * float(np.median(times)), 1), "p99": _p99_ms(times)}


async def _beside_others(
    measured: Measured, tasks: Sequence[str], warm: Sequence[str]
) -> tuple[list[float], list[float], list[str]]:
    """Ask for tasks at an even pace while others ask for warm ones; the seconds of both, wrong answers."""
    ending, client = asyncio.Event(), Client(measured)
    others = [Client(measured) for _ in range(OTHERS)]

    async def other(number: int) -> list[float]:
        times, turn = list[float](), number
        while not ending.is_set():
            times.append(await others[number].ask_right(warm[turn % len(warm)]))
            turn += 1
            await asyncio.sleep(COLD_EVERY_S / 2)
        return times

    beside = [asyncio.create_task(other(number)) for number in range(OTHERS)]
    own = []
    for task in tasks:
        own.append(await client.ask_right(task))
        await asyncio.sleep(COLD_EVERY_S)
    ending.set()
    times = [seconds for each in await asyncio.gather(*beside) for seconds in each]
    return own, times, [fault for each in (client, *others) for fault in each.wrong]


def idle(service: Running, seconds: float) -> Figures:
    """Share of a core that a service takes which nobody asks, between looks at everything and of those."""
    while not (scans := _metrics()["dvpt_store_scan_seconds_count"]):
        time.sleep(1)
    scan_s = _metrics()["dvpt_store_scan_seconds_sum"] / scans
    before = cpu_seconds(service.pid)
    time.sleep(seconds)
    between = (cpu_seconds(service.pid) - before) / seconds
    of_scans = scan_s / max(60.0, scan_s / WHOLE_SHARE)
    return {
        "idle_core_share": round(between + of_scans, 4),
        "of_it_looks_at_everything": round(of_scans, 4),
        "look_at_everything_s": round(scan_s, 2),
    }


def zipf(measured: Measured, options: argparse.Namespace) -> Figures:
    """Traffic whose tasks are drawn by Zipf's law, more of them than slots and host memory have room for."""
    flags = ("--slots-per-layout", options.slots, "--host-bytes", options.host_bytes)
    with measured.service(*flags) as service:
        memory = list[int]()
        seconds, wrong = asyncio.run(_zipf_load(measured, options, service.pid, memory))
        metrics = _metrics()
    tenth = max(1, len(memory) // 10)
    loads = sum(value for name, value in metrics.items() if name.startswith("dvpt_adapter_loads_total"))
    return {
        "seconds": options.zipf_s, "exponent": options.exponent, "tasks": len(measured.names),
        "slots": options.slots, "host_bytes": options.host_bytes, "requests": len(seconds),
        "wrong_answers": len(wrong), "first_wrong": wrong[:3], "loads": int(loads),
        "median_ms": round(1000 * float(np.median(seconds)), 1), "p99_ms": _p99_ms(seconds),
        "memory_mb": {
            "after a third": round(float(np.median(memory[len(memory) // 3 :][:tenth])) / 1e6, 1),
            "at the end": round(float(np.median(memory[-tenth:])) / 1e6, 1),
        },
    }  # fmt: skip


async def _zipf_load(
    measured: Measured, options: argparse.Namespace, pid: int, memory: list[int]
) -> tuple[list[float], list[str]]:
    draws = np.random.default_rng(0)
    weights = 1 / np.arange(1, len(measured.names) + 1) ** options.exponent
    shares = np.cumsum(weights / weights.sum())
    order = draws.permutation(len(measured.names))
    end_s = time.monotonic() + options.zipf_s
    clients, seconds = [Client(measured) for _ in range(options.clients)], list[float]()

    async def ask_on(client: Client) -> None:
        while time.monotonic() < end_s:
            rank = min(int(np.searchsorted(shares, draws.random())), len(order) - 1)
            seconds.append(await client.ask_right(measured.names[order[rank]]))

    async def weigh() -> None:
        while time.monotonic() < end_s:
            memory.append(process_memory(pid).anonymous)
            await asyncio.sleep(max(1.0, options.zipf_s / 300))

    await asyncio.gather(weigh(), *(ask_on(client) for client in clients))
    return seconds, [fault for client in clients for fault in client.wrong]


def _reach(sizes: dict[int, Figures]) -> Figures:
    """What is promised, measured, and whether it is reached."""
    few, many = sizes[min(sizes)], sizes[max(sizes)]
    first, others = many["first_answer_p99_ms"], many["others_p99_ms"]
    bytes_a_task = (many["memory_bytes"] - few["memory_bytes"]) / max(1, max(sizes) - min(sizes))
    found = {
        "start, most tasks over fewest": (many["start_ms"] / few["start_ms"], 1.5),
        "publish to answer, median, ms": (
            max(s["publish_to_answer_ms"]["median"] for s in sizes.values()),
            200,
        ),
        "publish to answer, p99, ms": (max(s["publish_to_answer_ms"]["p99"] for s in sizes.values()), 500),
        "idle, share of a core": (max(s["idle_core_share"] for s in sizes.values()), 0.01),
        "bytes a task": (bytes_a_task, 2000),
        "cold over warm first answer, p99, ms": (first["cold"] - first["warm"], 60),
        "others beside cold over beside warm, p99": (others["cold"] / others["warm"], 1.1),
        "wrong answers": (sum(s["wrong_answers"] for s in sizes.values()), 0),
    }
    return {
        name: {"measured": round(value, 4), "promised": limit, "reached": bool(value <= limit)}
        for name, (value, limit) in found.items()
    }


def _stores(folder: Path, backbone: Backbone, sizes: Sequence[int]) -> dict[int, Measured]:
    picture = photograph(backbone.config.image_size, 0)
    path = folder / "picture.jpg"
    path.write_bytes(picture)
    made, stores = variants(backbone, path), {}
    flags = ("--device", "cpu", "--precision", "fp32", "--torch-threads", 1)
    for count in sizes:
        began, root = time.monotonic(), folder / f"store-{count}"
        names = linked_store(root, backbone, made, count)
        print(f"a store of {count} tasks in {time.monotonic() - began:.0f} s", flush=True)
        stores[count] = Measured(root, names, made, picture, flags)
    return stores


def _metrics() -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def _spread(names: Sequence[str], count: int) -> list[str]:
    """So many of the names, evenly, each once."""
    return [names[index] for index in np.unique(np.linspace(0, len(names) - 1, count).astype(int))]


def _p99_ms(seconds: Sequence[float]) -> float:
    return _ms(np.quantile(seconds, 0.99))


def _p99_of_rounds_ms(rounds: Sequence[Sequence[float]]) -> float:
    """The median round's: one stall of a shared machine shall not decide."""
    return _ms(np.median([np.quantile(seconds, 0.99) for seconds in rounds]))


def _ms(seconds: Any) -> float:
    return round(1000 * float(seconds), 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--sizes", nargs="+", default=[1000, 10_000, 100_000], **number)
    parser.add_argument("--folder", type=Path, metavar="DIR", help="for the stores; default: the system's")
    parser.add_argument("--starts", default=3, **number)
    parser.add_argument("--publishes", default=200, **number)
    parser.add_argument("--cold", default=500, **number, help="cold tasks that are asked")
    parser.add_argument("--rounds", default=5, **number, help="of cold and warm in turn")
    parser.add_argument("--idle-s", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--zipf-s", type=float, default=3600.0, metavar="SECONDS")
    parser.add_argument("--exponent", type=float, default=1.0, help="of Zipf's law")
    parser.add_argument("--slots", default=500, **number)
    parser.add_argument("--host-bytes", default=100_000_000, **number)
    parser.add_argument("--clients", default=4, **number)
    return parser


if __name__ == "__main__":
    main()
