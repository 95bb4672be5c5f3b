"""All that only a GPU can show: correctness first, then every figure, one result file.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --device cpu --quick      # the same way, small, where there is no GPU

Each part is a benchmark or test of its own in a process of its own, with a limit of time; what fails or comes
too late is recorded and ends nothing. What is done is not done again by the same command, so that the parts
may come in several runs of ten minutes each; `--anew` forgets them. Without CUDA it runs nothing and says so.
Weights are random. Writes benchmarks/results/gpu-<device>.json, and the parts' own files with what they
printed to runs/gpu.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from adapters.vit.backbone import EMBEDDED_BACKBONE
from benchmarks.common.machine import write_result
from benchmarks.common.random_weights import open_weights

VIT = "vit_base_patch16_224"
PARTS = Path("runs/gpu")
PEERS = ("litserve", "ray")  # of the environment of benchmarks/peers.lock
TAIL_CHARACTERS = 6000
OUTCOME = "outcome"
END_WITHIN_S = 20
WORKERS = (1, 4, 8)
GRAPH_LAYOUTS = 4
TESTS = ("tests/unit/adapters/vit/test_fused.py", "tests/unit/service/engine/test_torch_engine_cuda.py")


@dataclass(frozen=True)
class Part:
    """`python -m` with these words, for at most `limit_s`."""

    name: str
    words: Sequence[object]
    limit_s: float


def main() -> int:
    """Run the parts in order, print what each says, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0", help="cpu or cuda:N")
    parser.add_argument("--quick", action="store_true", help="few rounds and the embedded backbone's shape")
    parser.add_argument("--limit-s", type=float, default=570, help="for all parts together")
    parser.add_argument("--anew", action="store_true", help="also the parts that earlier runs have done")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("there is no CUDA here: nothing was run")
        return 1
    if options.anew:
        shutil.rmtree(PARTS, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no part goes on alone
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job's shell turns off
    ends = time.monotonic() + options.limit_s
    PARTS.mkdir(parents=True, exist_ok=True)
    figures = {}
    with open_weights(EMBEDDED_BACKBONE if options.quick else VIT, None) as (_, weights):
        for part in parts(options.device, weights, quick=options.quick):
            figures[part.name] = done_before(part) or run(part, ends - time.monotonic())
            print(f"{part.name}: {figures[part.name]['state']}", flush=True)
    shown = {
        name: {key: figure[key] for key in figure if key != "output"} for name, figure in figures.items()
    }
    print(write_result(f"gpu-{options.device.partition(':')[0]}", shown))
    return 0 if all(figure["state"] == "done" for figure in figures.values()) else 1


def parts(device: str, weights: Path, *, quick: bool) -> Iterator[Part]:
    """The most important first, since the last ones may find no time left."""
    backbone = EMBEDDED_BACKBONE if quick else VIT
    engine = ("--backbone", backbone, "--weights", weights, "--device", device)
    few = ("--rounds", 3) if quick else ()
    yield Part("tests", ("pytest", "-q", "-p", "no:cacheprovider", *TESTS), 150)
    yield Part("checks", ("benchmarks.device_checks", *engine), 60)
    yield from workers(engine, few, quick=quick)
    batches = (4, 8) if quick else (1, 64, 256)
    sizes, tasks = ("--batch", batches[1]), ("--tasks", 20 if quick else 200)
    yield Part("limit", ("benchmarks.device_limit", *engine, "--batches", *batches, *few), 60)
    kinds = ("benchmarks.kinds", *engine, "--precision", "bf16", *tasks, *few)
    yield Part("kinds", (*kinds, *sizes), 80)
    yield Part("kinds, graphs", (*kinds, *sizes, "--graph-layouts", 12), 100)
    if device.startswith("cuda"):
        yield Part("decoding", ("benchmarks.device_decoding", "--device", device, *few), 60)
    yield Part("hot load", ("benchmarks.hot_load", *engine, *few), 60)
    words = ("benchmarks.many_tasks", *engine, "--precision", "bf16", *sizes, *few)
    yield Part("many tasks", words, 60)
    steps = ("--backbone", backbone, "--device", device, *few)
    yield Part("training steps", ("benchmarks.training_steps", *steps), 60)
    limit = ("benchmarks.device_limit", *engine, "--compile", *few)
    yield Part("limit, compiled", (*limit, "--batches", batches[1]), 150)
    yield Part("kinds, compiled", (*kinds, *sizes, "--graph-layouts", 12, "--compile"), 300)
    compiled = ("--graph-layouts", GRAPH_LAYOUTS, "--compile", "--workers", *WORKERS[:1])
    yield Part("workers, compiled", ("benchmarks.device_workers", *engine, *few, *compiled), 200)
    yield Part("checks, compiled", ("benchmarks.device_checks", *engine, "--compile"), 300)
    asked = ("--requests", 40) if quick else ("--requests", 4000)
    yield Part("pipeline", ("benchmarks.pipeline", *engine, *sizes, *asked, *few), 100)
    yield Part("ceiling", ("benchmarks.ceiling", *few), 60)
    yield Part("front end", ("benchmarks.front_end", "--rounds", 2 if quick else 3), 100)
    yield Part("engines", ("benchmarks.engines", *engine, *sizes, *few), 60)
    if all(find_spec(package) for package in PEERS):
        rounds = ("--rounds", 1, "--seconds", 1)
        yield Part("peers", ("benchmarks.peers", "--engine", "vit", *engine, *rounds), 200)


def workers(engine: Sequence[object], few: Sequence[object], *, quick: bool) -> Iterator[Part]:
    """What clients see with 1 to 8 workers, small and larger pictures, CUDA graphs and torch.compile."""
    brief = ("--seconds", 1, "--connections", 1, 8, "--tasks", 10, "--batch", 8) if quick else ()
    words = ("benchmarks.device_workers", *engine, *few, *brief)
    graphs, larger = ("--graph-layouts", GRAPH_LAYOUTS), ("--side-px", 256)
    yield Part("workers, graphs", (*words, *graphs, "--workers", *WORKERS), 120)
    yield Part("workers", (*words, "--workers", *WORKERS[:2]), 80)
    yield Part("workers, graphs, 256 px", (*words, *graphs, *larger, "--workers", *WORKERS[:2]), 80)


def done_before(part: Part) -> dict[str, Any] | None:
    """The outcome of the part in an earlier run, if it was done then by the same command."""
    try:
        outcome: dict[str, Any] = json.loads((_folder(part) / OUTCOME).read_text())
    except (OSError, ValueError):
        return None
    return outcome if outcome["state"] == "done" and outcome["command"] == _shown(part) else None


def run(part: Part, left_s: float) -> dict[str, Any]:
    """The part's outcome, seconds, result file and last output."""
    limit_s = min(part.limit_s, left_s)
    if limit_s < 10:
        return {"state": "skipped, no time left"}
    command = [sys.executable, "-m", *map(str, part.words)]
    folder = _folder(part)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OUTCOME).unlink(missing_ok=True)
    began = time.monotonic()
    state, output = outcome(command, os.environ | {"BENCHMARK_RESULTS": str(folder)}, limit_s)
    results = [json.loads(path.read_text())["figures"] for path in folder.glob("*.json")]
    figure = {
        "state": state,
        "command": _shown(part),
        "seconds": round(time.monotonic() - began, 1),
        "figures": results[0] if results else None,
        "output": output[-TAIL_CHARACTERS:] if state != "done" or not results else "",
    }
    (folder / OUTCOME).write_text(json.dumps(figure))
    return figure


def _folder(part: Part) -> Path:
    return PARTS / part.name.replace(", ", "-").replace(" ", "-")


def _shown(part: Part) -> str:
    """The command without what differs from run to run: the file of random weights."""
    words = ["WEIGHTS" if str(word).endswith(".safetensors") else str(word) for word in part.words]
    return " ".join(["python", "-m", *words])


def outcome(command: Sequence[str], environment: dict[str, str], limit_s: float) -> tuple[str, str]:
    """State and output of a process, which is ended where it takes too long or nobody waits any more."""
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return f"stopped after {limit_s:.0f} s", _end(process)
        except BaseException:
            _end(process)
            raise
    return ("done" if process.returncode == 0 else f"failed with {process.returncode}"), output


def _end(process: subprocess.Popen[str]) -> str:
    """Interrupt it, so that it ends the services that it started, and kill it only if that does not help."""
    process.send_signal(signal.SIGINT)
    try:
        output, _ = process.communicate(timeout=END_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    return output


if __name__ == "__main__":
    sys.exit(main())
