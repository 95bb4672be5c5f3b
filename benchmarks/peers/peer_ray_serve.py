"""Ray Serve as a peer: `@serve.multiplexed` adapters behind `@serve.batch`, one replica for the one device.

    python -m benchmarks.peers.peer_ray_serve --store DIR --port 8123

The header `serve_multiplexed_model_id` names the task. Ray splits each batch by it; the parts are given to
the one thread that runs the model, and decoding to others. Models stay in memory once loaded. Its settings
for high throughput are on, its dashboard and its usage statistics off.
"""

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # the others are not niced either
os.environ.setdefault("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1")  # is read at import

import ray
from ray import serve
from starlette.requests import Request
from torch import Tensor

from benchmarks.peers.engine import PeerEngine, PeerModel, PeerOptions, Rows, peer_options

CPUS = 2
MOST_REQUESTS = 4096
READY = {"ready": True}


class Classify:
    """All tasks in one replica, which has the one backbone."""

    def __init__(self, options: PeerOptions) -> None:
        self._engine = PeerEngine(options)
        self._device = ThreadPoolExecutor(1)
        self.rows.set_max_batch_size(options.max_batch)
        self.rows.set_batch_wait_timeout_s(options.batch_wait_ms / 1000)

    async def __call__(self, request: Request) -> dict[str, Any]:
        """A picture as the body, its task in the header."""
        if request.url.path == "/readyz":
            return READY
        model: PeerModel = await self.model(serve.get_multiplexed_model_id())
        pixels = await asyncio.to_thread(model.pixels, await request.body())
        row: Rows = await self.rows(pixels)
        return model.answer(row)

    @serve.multiplexed(max_num_models_per_replica=-1)
    async def model(self, task: str) -> PeerModel:
        """Load a task's model; Ray keeps it."""
        return await asyncio.get_running_loop().run_in_executor(self._device, self._engine.load, task)

    @serve.batch
    async def rows(self, pixels: list[Tensor]) -> list[Rows]:
        """One forward pass of pictures of one task."""
        model = await self.model(serve.get_multiplexed_model_id())
        return list(await asyncio.get_running_loop().run_in_executor(self._device, model.predict, pixels))


def main() -> int:
    """Serve until a signal."""
    options = peer_options(__doc__)
    ended = threading.Event()
    ray.init(num_cpus=CPUS, include_dashboard=False, log_to_driver=False, logging_level="WARNING")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    serve.start(http_options={"host": "127.0.0.1", "port": options.port})
    resources = {"num_cpus": 1, "num_gpus": int(options.device.startswith("cuda"))}  # Ray hides other GPUs
    deployment = serve.deployment(max_ongoing_requests=MOST_REQUESTS, ray_actor_options=resources)
    serve.run(deployment(Classify).bind(options))
    ended.wait()
    serve.shutdown()
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
