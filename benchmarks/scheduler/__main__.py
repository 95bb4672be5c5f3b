"""The scheduler at GPU speed: the service's own batcher, its queueing in virtual time and its processor time.

    python -m benchmarks.scheduler [--against REVISION] [--fixed-ms MS] [--picture-us US]

Waits come from an engine time model in virtual time and are the same on every machine. Processor time is
that of this process; with --against, an earlier revision's batcher takes its turn in the same run. Writes
benchmarks/results/scheduler.json, docs/batching-cost.png and docs/batching-flood.png.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.common.interleaved import ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.scheduler.clock import EngineModel
from benchmarks.scheduler.cost import Load, bare_us, batcher_us, in_turn
from benchmarks.scheduler.plots import UNDISTURBED, plot_cost, plot_flood
from benchmarks.scheduler.revision import batcher_at
from benchmarks.scheduler.simulation import Limits, longest_turn_s, simulate
from benchmarks.scheduler.traffic import Traffic
from service.batching.batcher import Batcher

BATCH = 256
LOADS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
NOW, BEFORE, BARE = "now", "before", "a bare future"
GROWTH: dict[str, dict[float, Load]] = {
    "tasks": {tasks: Load(tasks=tasks) for tasks in (1, 10, 100, 1000, 10_000)},
    "layouts": {layouts: Load(layouts=layouts) for layouts in (1, 2, 4, 8, 16, 32)},
    "pictures waiting": {queue: Load(queue=queue) for queue in (256, 1024, 4096, 16_384)},
    "pictures in a request": {pictures: Load(pictures=pictures) for pictures in (1, 4, 16, 64)},
}


def main() -> None:
    """Measure, print, write and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    model = EngineModel()
    parser.add_argument("--against", metavar="REVISION", help="measure this revision's batcher too")
    parser.add_argument("--fixed-ms", type=float, default=1e3 * model.fixed_s, help="of a batch")
    parser.add_argument("--picture-us", type=float, default=1e6 * model.per_picture_s, help="in a batch")
    parser.add_argument("--seconds", type=float, default=1.0, help="of traffic in each simulation")
    parser.add_argument("--rounds", type=int, default=3, help="of the measurement of processor time")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where the plots go")
    options = parser.parse_args()
    model = EngineModel(options.fixed_ms / 1e3, options.picture_us / 1e6)
    figures = {
        "engine_model": asdict(model) | {"pictures_per_s": model.rate(BATCH), "batch": BATCH},
        "cost": cost(options.against, options.rounds, options.docs),
        "queueing": queueing(model, options.seconds),
        "flood": flood(model, options.seconds, options.docs),
    }
    print(write_result("scheduler", figures))


def cost(against: str | None, rounds: int, docs: Path) -> dict[str, Any]:
    """Microseconds of processor time for each picture, and how they grow."""
    sides: dict[str, Callable[[Load], float]] = {NOW: partial(batcher_us, Batcher), BARE: bare_us}
    if against:
        sides[BEFORE] = partial(batcher_us, batcher_at(against))
    calls = {
        (axis, side, value): partial(measure, load)
        for axis, loads in GROWTH.items()
        for side, measure in sides.items()
        for value, load in loads.items()
    }
    told = in_turn(calls, rounds)
    growth = {axis: {side: dict[float, float]() for side in sides} for axis in GROWTH}
    for (axis, side, value), times in told.items():
        growth[axis][side][value] = round(statistics.median(times), 3)
    plot_cost(growth, docs / "batching-cost.png")
    figures: dict[str, Any] = {
        "load": asdict(Load()),
        "us_per_picture": {side: growth["tasks"][side][1000] for side in sides},
        "growth": growth,
    }
    if against:
        now, before = (told["tasks", side, 1000] for side in (NOW, BEFORE))
        figures["now_over_before"] = {"before": against} | rounded(ratio(now, before))
    for name, value in figures.items():
        print(f"{name}: {value}")
    return figures


def queueing(model: EngineModel, seconds: float) -> list[dict[str, Any]]:
    """What requests wait in traffic of many kinds, next to the bound on it."""
    full = model.rate(BATCH)
    usual = Traffic(0.8 * full, layouts=4, seconds=seconds)
    kinds = {
        "Poisson, uniform": usual,
        "Poisson, zipf": replace(usual, popularity="zipf"),
        "bursts of 64, zipf": replace(usual, popularity="zipf", burst=64),
        "1 task": replace(usual, tasks=1, layouts=1),
        "10,000 tasks": replace(usual, tasks=10_000),
        "1 layout": replace(usual, layouts=1),
        "32 layouts": replace(usual, layouts=32),
        "95 % load": replace(usual, rate=0.95 * full),
        "overload, 130 %": replace(usual, rate=1.3 * full),
        "overload, zipf": replace(usual, rate=1.3 * full, popularity="zipf"),
    }
    rows = []
    for name, traffic in kinds.items():
        outcome = simulate(traffic, model, Limits(BATCH))
        bound_ms = 1e3 * longest_turn_s(traffic, model, BATCH)
        rows.append({"traffic": name, "bound_ms": bound_ms, **asdict(traffic), **asdict(outcome)})
        print(
            f"{name:>20}: p50 {outcome.p50_ms:6.1f} p99 {outcome.p99_ms:6.1f} ms,"
            f" longest lone wait {outcome.longest_lone_queue_ms:6.1f} of {bound_ms:6.1f} ms,"
            f" batches of {outcome.mean_batch:5.1f}, refused {outcome.refused},"
            f" idle with work {outcome.idle_with_work_s:g} s"
        )
    return rows


def flood(model: EngineModel, seconds: float, docs: Path) -> list[dict[str, Any]]:
    """What one task that asks for twice the engine's rate does to the p99 of the others."""
    full = model.rate(BATCH)
    rows: list[dict[str, Any]] = []
    for layouts, load in product((1, 4), LOADS):
        calm = Traffic(load * full, layouts=layouts, seconds=seconds)
        same = replace(calm, flood_rate=2 * full)
        sides = {
            UNDISTURBED: simulate(calm, model, Limits(BATCH)),
            "flood in the same layout": simulate(same, model, Limits(BATCH)),
            "flood in a layout of its own": simulate(replace(same, flood_apart=True), model, Limits(BATCH)),
            "same, served in order of arrival": simulate(same, model, Limits(BATCH, fair=False)),
        }
        for name, outcome in sides.items():
            times = round(outcome.p99_ms / sides[UNDISTURBED].p99_ms, 3)
            row = {"layouts": layouts, "load": load, "who": name, "times_undisturbed": times}
            row |= asdict(outcome) | {"flood_per_s": outcome.flood_pictures / seconds}
            rows.append(row)
            print(
                f"{layouts} layouts, load {load:4.2f}, {name}: p99 {outcome.p99_ms:.1f} ms,"
                f" {times:.2f} times; flood {row['flood_per_s']:,.0f}/s; refused {outcome.refused}"
            )
    plot_flood(rows, docs / "batching-flood.png")
    return rows


if __name__ == "__main__":
    main()
