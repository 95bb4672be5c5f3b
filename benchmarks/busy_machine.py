"""What other processes on the same cores cost a training step and a pass of the service, by how threads wait.

    python -m benchmarks.busy_machine --busy 2
    chrt -f 1 python -m benchmarks.busy_machine --busy 0    # as on a quiet machine: before all others

Each way is a process of its own, as OpenMP reads its variables once. They take turns: while one computes, the
others sleep. `cores_of_others` says what everybody else used in these turns. Writes
benchmarks/results/busy_machine-<busy>.json.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from adapters.threads import WAITING, wait_briefly
from benchmarks.common.interleaved import interleave, ratio, rounded
from benchmarks.common.machine import write_result

OWN, AS_SET = "torch's own", "as the commands set it"
TASKS = ("training", "serving")
Turn = tuple[float, float]
"""Mean seconds of a step, and cores that others used meanwhile."""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--busy", type=int, default=2, help="processes that compute beside it")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn; its first half settles")
    parser.add_argument("--worker", choices=TASKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work(options.worker, options.seconds)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no busy process behind
    figures = {task: _measure(task, options) for task in TASKS}
    print(json.dumps(figures, indent=1))
    print(write_result(f"busy_machine-{options.busy}", figures))


def ways() -> dict[str, dict[str, str]]:
    """The variables of each way."""
    set_by_us: dict[str, str] = {}
    wait_briefly(set_by_us)
    return {OWN: {}, "passive": {"OMP_WAIT_POLICY": "PASSIVE"}, AS_SET: set_by_us}


def _measure(task: str, options: argparse.Namespace) -> dict[str, Any]:
    """Way → milliseconds of a step, and their ratio to torch's own way."""
    with _workers(task, options.seconds) as workers, _others(options.busy):
        turns = _turns(workers, options.rounds)
    return {way: _figures(taken, turns[OWN]) for way, taken in turns.items()}


def _figures(turns: Sequence[Turn], own: Sequence[Turn]) -> dict[str, Any]:
    steps_s, others = zip(*turns, strict=True)
    return {
        "ms": round(1000 * statistics.median(steps_s), 2),
        "worst_ms": round(1000 * max(steps_s), 2),
        f"over {OWN}": rounded(ratio(steps_s, [step_s for step_s, _ in own])),
        "cores_of_others": round(statistics.median(others), 2),
    }


def _turns(workers: Mapping[str, Callable[[], Turn]], rounds: int) -> dict[str, list[Turn]]:
    """A turn of each way in each round."""
    taken: dict[str, list[Turn]] = {way: [] for way in workers}

    def turn(way: str) -> None:
        taken[way].append(workers[way]())

    interleave({way: partial(turn, way) for way in workers}, rounds)
    return {way: turns[1:] for way, turns in taken.items()}  # the first one warms up


@contextmanager
def _workers(task: str, seconds: float) -> Iterator[dict[str, Callable[[], Turn]]]:
    """A process for each way, and what gives it a turn."""
    started = {way: _start(task, variables, seconds) for way, variables in ways().items()}
    try:
        yield {way: partial(_turn, process) for way, process in started.items()}
    finally:
        for process in started.values():
            process.terminate()
            process.wait()


def _start(task: str, variables: Mapping[str, str], seconds: float) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if name not in WAITING}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.busy_machine", f"--seconds={seconds}", f"--worker={task}"],
        env=kept | dict(variables), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _turn(process: "subprocess.Popen[str]") -> Turn:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the worker has no pipes")
    process.stdin.write("\n")
    process.stdin.flush()
    step_s, others = json.loads(process.stdout.readline())
    return float(step_s), float(others)


@contextmanager
def _others(count: int) -> Iterator[None]:
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def _work(task: str, seconds: float) -> None:
    """A turn for each line: steps until the time is up, of which the first half only settles."""
    step = {"training": _training_step, "serving": _serving_step}[task]()
    for _ in sys.stdin:
        began, times = time.perf_counter(), list[float]()
        while time.perf_counter() - began < seconds / 2:
            step()
        settled, busy_s, own_s = time.perf_counter(), _busy_s(), time.process_time()
        while time.perf_counter() - settled < seconds / 2 or not times:
            before = time.perf_counter()
            step()
            times.append(time.perf_counter() - before)
        others_s = _busy_s() - busy_s - (time.process_time() - own_s)
        others = others_s / (time.perf_counter() - settled)
        print(json.dumps([statistics.fmean(times), others]), flush=True)


def _busy_s() -> float:
    """Seconds that all cores did anything, or were given to another machine."""
    _, user, nice, system, _, _, *more = Path("/proc/stat").read_text().splitlines()[0].split()
    return sum(map(int, (user, nice, system, *more[:3]))) / os.sysconf("SC_CLK_TCK")


def _training_step() -> Callable[[], object]:
    """DVPT on the embedded backbone, a batch of 50, as `dvpt-train --task digits` has it."""
    import torch  # noqa: PLC0415 - slow to import

    from adapters.device import choose_dtype  # noqa: PLC0415
    from adapters.vit.backbone import EMBEDDED_BACKBONE, random_backbone  # noqa: PLC0415
    from benchmarks.training_steps import new_step  # noqa: PLC0415

    device = torch.device("cpu")
    backbone = random_backbone(EMBEDDED_BACKBONE).prepare(device, choose_dtype("auto", device))
    backbone.use_fused_attention(False)
    return new_step(backbone, batch=50)


def _serving_step() -> Callable[[], object]:
    """A mixed batch of eight pictures on the embedded backbone, as the engine runs it."""
    from adapters.vit.backbone import EMBEDDED_BACKBONE, load_backbone  # noqa: PLC0415 - slow to import
    from benchmarks.common.resident import make_resident, pictures  # noqa: PLC0415

    resident = make_resident(load_backbone(EMBEDDED_BACKBONE), 8, device="cpu")
    batch = pictures(8, 64)
    return lambda: resident.answer(batch, range(8))


if __name__ == "__main__":
    main()
