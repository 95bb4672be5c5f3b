"""Plain FastAPI as a peer: every adapter in memory, one forward pass at a time, no batches.

    python -m benchmarks.peers.peer_fastapi --store DIR --port 8123

Pictures are decoded in the framework's own pool of threads. One thread runs the model, as FastAPI's guides
have it for what must not run twice at once.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from benchmarks.peers.engine import PeerEngine, PeerModel, peer_options


def create_app(models: dict[str, PeerModel], device: ThreadPoolExecutor) -> FastAPI:
    """One endpoint for all tasks."""
    app = FastAPI()

    @app.get("/readyz")
    async def ready() -> str:
        return "ready"

    @app.post("/v1/tasks/{task}/classify")
    async def classify(task: str, request: Request) -> dict[str, Any]:
        if task not in models:
            raise HTTPException(404)
        model = models[task]
        pixels = await run_in_threadpool(model.pixels, await request.body())
        rows = await asyncio.get_running_loop().run_in_executor(device, model.predict, [pixels])
        return model.answer(rows[0])

    return app


def main() -> int:
    """Serve until a signal."""
    options = peer_options(__doc__)
    with ThreadPoolExecutor(1) as device:
        app = create_app(PeerEngine(options).load_all(), device)
        uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
