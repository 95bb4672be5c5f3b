"""The servers that are compared: how each is started, how it is asked, and how it is kept still."""

import argparse
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.http_load import Ask, post, single
from benchmarks.common.running import Running, running

EDGE = "----------------edge"
FIRST_PORT = 8140
OURS = "ours"
WAITS_MS = {"gpu": (1.0, 30.0), "cpu": (10.0, 10.0)}


@dataclass(frozen=True)
class Server:
    """A server's module with its flags, and the request it takes for a task and a picture."""

    name: str
    module: str
    port: int
    flags: tuple[object, ...]
    ask: Callable[[str, bytes], Ask]

    @contextmanager
    def started(self, store: Path) -> Iterator[Running]:
        """Run it, stopped whenever it is not its turn: an idle LitServe polls its queue without a pause."""
        with running(self.module, store, self.port, *self.flags) as process:
            os.killpg(process.pid, signal.SIGSTOP)
            try:
                yield process
            finally:
                os.killpg(process.pid, signal.SIGCONT)


@contextmanager
def awake(process: Running) -> Iterator[None]:
    """Let a server run for a while."""
    os.killpg(process.pid, signal.SIGCONT)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGSTOP)


def all_servers(options: argparse.Namespace) -> list[Server]:
    """Ours and the chosen peers, all with the same engine, threads and largest batch."""
    batch, threads = ("--max-batch", options.batch), options.threads
    weights = ("--weights", options.weights) if options.weights else ()
    if options.engine == "model":
        engine: tuple[object, ...] = ("--fixed-ms", options.fixed_ms * options.slowdown)
        engine += ("--per-picture-ms", options.per_picture_ms * options.slowdown)
        module, ours = "benchmarks.common.model_service", engine
    else:
        engine = ("--device", options.device, "--threads", threads, *weights)
        module, ours = "service.cli", ("--device", options.device, "--torch-threads", threads, *weights)
    waits = {name: wait_ms * slowdown_of(options) for name, wait_ms in waits_ms(options).items()}
    asks = {"litserve": form, "ray_serve": multiplexed}
    return [Server(OURS, module, FIRST_PORT, (*ours, *batch), single)] + [
        Server(
            name,
            f"benchmarks.peer_{name}",
            FIRST_PORT + number,
            (*engine, *batch, "--batch-wait-ms", waits.get(name, 0.0)),
            asks.get(name, single),
        )
        for number, name in enumerate(options.peers, start=1)
    ]


def waits_ms(options: argparse.Namespace) -> dict[str, float]:
    """How long each peer lets a batch gather, in the engine's own time: what served it best, unless told."""
    litserve, ray_serve = WAITS_MS[kind_of(options)]
    return {
        "litserve": litserve if options.litserve_wait_ms is None else options.litserve_wait_ms,
        "ray_serve": ray_serve if options.ray_wait_ms is None else options.ray_wait_ms,
    }


def kind_of(options: argparse.Namespace) -> str:
    """What the engine is, or is modelled to be: `gpu`, where batches gain much, or `cpu`."""
    return "cpu" if options.engine == "vit" and options.device == "cpu" else "gpu"


def slowdown_of(options: argparse.Namespace) -> float:
    """How many times longer everything takes than with the engine that is modelled."""
    return float(options.slowdown) if options.engine == "model" else 1.0


def form(task: str, picture: bytes) -> Ask:
    """For LitServe, which takes pictures as files of a form."""
    body = (
        f'--{EDGE}\r\ncontent-disposition: form-data; name="task"\r\n\r\n{task}\r\n'
        f'--{EDGE}\r\ncontent-disposition: form-data; name="image"; filename="p"\r\n'
        "content-type: image/jpeg\r\n\r\n"
    ).encode()
    body += picture + f"\r\n--{EDGE}--\r\n".encode()
    return Ask(post("/predict", f"multipart/form-data; boundary={EDGE}", body), 1)


def multiplexed(task: str, picture: bytes) -> Ask:
    """For Ray Serve, which reads the model's name from a header."""
    return Ask(post("/", "image/jpeg", picture, f"serve_multiplexed_model_id: {task}"), 1)
