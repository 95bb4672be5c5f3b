"""What a request costs the server now, over what it cost at an earlier revision, in one run.

    python -m benchmarks.front_end_against d44db63

Both services run side by side, each from its own files, with an engine that answers at once, and are asked in
turn. Processor time of all threads of the server. Writes benchmarks/results/front_end_against.json.
"""

import argparse
import asyncio
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.http_load import Ask, asks_for, run_load
from benchmarks.common.interleaved import ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import photograph
from benchmarks.common.processor_time import threads_seconds
from benchmarks.common.running import environment_of, running
from benchmarks.front_end import FILES, Case

PORT = 8301
CASES = (
    Case("64 px, one a request", 64, 1, 500),
    Case("500 px, one a request", 500, 1, 200),
    Case("500 px, eight a request", 500, 8, 480),
)
MODULES = ("benchmarks.common.model_service", "benchmarks.model_service")
"""Where the service with a made-up engine is, and where it was."""
MAKE_STORE = """
import json, sys
from pathlib import Path
try:
    from adapters.vit.backbone import random_backbone
    from benchmarks.common.photographs import VIT
    from benchmarks.common.random_store import random_store
except ImportError:
    from adapters.backbone import random_backbone
    from benchmarks.front_end import VIT
    from benchmarks.random_store import random_store
print(json.dumps(random_store(Path(sys.argv[1]), random_backbone(VIT), tasks=20)))
"""


@dataclass(frozen=True)
class Side:
    """One running service, and its tasks."""

    pid: int
    port: int
    tasks: tuple[str, ...]

    def seconds(self, asks: list[Ask], clients: int, requests: int) -> float:
        """Processor seconds of the server for so many requests. Raises RuntimeError for a failed one."""
        before = threads_seconds(self.pid)
        load = asyncio.run(run_load(self.port, asks, connections=clients, requests=requests))
        if set(load.statuses) != {200}:
            raise RuntimeError(f"answers by status: {load.statuses}")
        return threads_seconds(self.pid) - before


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", help="of this repository")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16], help="asking on and on at once")
    options = parser.parse_args()
    figures: dict[str, Any] = {"revision": options.revision}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trees = (_files_of(options.revision, folder / "then"), Path.cwd())
        then, now = (start(tree, folder / f"store-{at}", PORT + at, stack) for at, tree in enumerate(trees))
        for clients in options.clients:
            for case in CASES:
                name = f"{case.name}, {clients} at once"
                figures[name] = measure(case, then, now, clients, options.rounds)
                print(f"{name}: {figures[name]}")
    print(write_result("front_end_against", figures))


def start(tree: Path, store: Path, port: int, stack: ExitStack) -> Side:
    """The service of one tree, until the stack ends."""
    made = subprocess.run(
        [sys.executable, "-c", MAKE_STORE, str(store)],
        cwd=tree, env=environment_of(tree), check=True, capture_output=True, text=True,
    )  # fmt: skip
    module = next(name for name in MODULES if (tree / f"{name.replace('.', '/')}.py").is_file())
    process = stack.enter_context(running(module, store, port, tree=tree))
    return Side(process.pid, port, tuple(json.loads(made.stdout.splitlines()[-1])))


def measure(case: Case, then: Side, now: Side, clients: int, rounds: int) -> dict[str, Any]:
    """Microseconds of a request at both, and their ratio, round by round."""
    files = [photograph(case.side_px, seed) for seed in range(FILES)]
    requests = case.pictures // case.pictures_per_request
    asks = {side: asks_for(side.tasks, files, case.pictures_per_request) for side in (then, now)}
    times: dict[Side, list[float]] = {then: [], now: []}
    for number in range(-1, rounds):  # the first warms up
        for side in (then, now) if number % 2 else (now, then):
            times[side].append(side.seconds(asks[side], clients, requests) / requests)
    return {
        "then_us_per_request": round(1e6 * float(np.median(times[then][1:]))),
        "now_us_per_request": round(1e6 * float(np.median(times[now][1:]))),
        "ratio": rounded(ratio(times[now][1:], times[then][1:])),
    }


def _files_of(revision: str, folder: Path) -> Path:
    archive = subprocess.run(["git", "archive", revision], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


if __name__ == "__main__":
    main()
